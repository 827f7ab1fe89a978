/** What is remembered of a running webspace from one look to the next. */
export interface Use {
  /** What it had sent by then, in bytes, since its start. */
  readonly sentBytes: number;
  /** When it was last seen in use, epoch milliseconds. */
  readonly usedAt: number;
}

/** A running webspace as a look finds it. */
export interface Sight {
  /** Sent by its network interface since its start, in bytes. */
  readonly sentBytes: number;
  /** Of its last start, epoch milliseconds. */
  readonly startedAt: number;
  /** Whether somebody has a terminal, a command or a console open in it. */
  readonly attended: boolean;
}

/**
 * What is known of a webspace's use after another look. Pure. In use is one that is new, that was started since, that is attended, or that
 * sent more than `quietBytes` since the look before: whoever is served is answered, and a container's own chatter is little.
 */
export function seen(
  before: Use | undefined,
  sight: Sight,
  { now, quietBytes }: { readonly now: number; readonly quietBytes: number },
): Use {
  const { sentBytes, startedAt, attended } = sight;
  const restarted = before !== undefined && (startedAt > before.usedAt || sentBytes < before.sentBytes);
  const used = before === undefined || restarted || attended || sentBytes - before.sentBytes > quietBytes;
  return { sentBytes, usedAt: used ? now : before.usedAt };
}
