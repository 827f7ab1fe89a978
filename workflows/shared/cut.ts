const MAX_BYTES = 200;
/** A character takes three bytes at most, but for those of two code units, which take four. */
const SURELY_FITS = Math.floor(MAX_BYTES / 3);

/** A summary as Temporal takes it: one that is too long makes it refuse the command that carries it. */
export function cut(summary: string): string {
  if (summary.length <= SURELY_FITS) return summary;
  const plain = summary.replace(/[^\x20-\x7e]/g, '?');
  return plain.length <= MAX_BYTES ? plain : `${plain.slice(0, MAX_BYTES - 3)}...`;
}
