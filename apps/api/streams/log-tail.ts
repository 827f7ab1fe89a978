/** Long enough that it is found at one place only. */
const NEEDLE_BYTES = 512;

export interface Addition {
  /** What was there before is gone, or cannot be told from what is new. */
  readonly anew: boolean;
  readonly data: Buffer;
}

/**
 * What was added to a log of which only the end is kept, from two readings of it. LXD gives the whole of its ring buffer each time (LXD 5.0.2, tried):
 * the older reading's end is looked for in the newer one.
 */
export function additionTo(before: Buffer, now: Buffer): Addition {
  if (now.subarray(0, before.length).equals(before)) return { anew: false, data: now.subarray(before.length) };
  const needle = before.subarray(-NEEDLE_BYTES);
  const at = needle.length === 0 ? -1 : now.lastIndexOf(needle);
  if (at < 0) return { anew: true, data: now };
  return { anew: false, data: now.subarray(at + needle.length) };
}
