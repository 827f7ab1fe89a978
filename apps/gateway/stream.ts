import type { Socket } from 'node:net';

/** Bytes that were streamed. */
export interface Streamed {
  /** From `one` to `other`. */
  readonly there: number;
  readonly back: number;
}

/**
 * Streams both ways between two connections until both have ended; neither is read faster than the other takes it. Each may end its own
 * direction only (both need `allowHalfOpen`); when one breaks, so does the other. `first` is what was read of `one` already.
 */
export function joined(one: Socket, other: Socket, first?: Buffer): Promise<Streamed> {
  const before = { one: one.bytesWritten, other: other.bytesWritten };
  return new Promise((resolve) => {
    let open = 2;
    const closed = () => {
      if (--open > 0) return;
      resolve({ there: other.bytesWritten - before.other, back: one.bytesWritten - before.one });
    };
    const breaks = (from: Socket, to: Socket) => {
      from.once('error', () => to.destroy());
      from.once('close', () => {
        // An end that was told lets the other side finish; anything else was a break.
        if (!from.readableEnded) to.destroy();
        closed();
      });
    };
    breaks(one, other);
    breaks(other, one);
    if (first && first.length > 0) other.write(first);
    one.pipe(other);
    other.pipe(one);
  });
}
