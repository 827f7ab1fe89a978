import { Readable, Transform } from 'node:stream';
import { PlatformError } from '#libs/errors/platform-error.js';
import { protocolError, transportError } from './errors.js';

interface Expectation {
  /** Bytes that must come. */
  readonly expected: number;
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** The bytes as they come; ends only when all have come, else fails with UNAVAILABLE (cut, silent), PROTOCOL (too many) or the signal's reason. */
export function assetBody(source: Readable, { expected, what, signal }: Expectation): Readable & AsyncIterable<Buffer> {
  let seen = 0;
  const counted = new Transform({
    readableHighWaterMark: 262_144,
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > expected) done(protocolError(what, `more than ${expected} bytes came`));
      else done(null, chunk);
    },
    flush(done) {
      done(seen === expected ? null : cut(what, seen, expected));
    },
  });
  source.on('error', (error) => counted.destroy(transportError(what, error, signal) as Error));
  source.once('close', () => {
    if (!source.readableEnded) counted.destroy(cut(what, seen, expected));
  });
  counted.once('close', () => source.destroy());
  source.pipe(counted);
  return counted;
}

function cut(what: string, seen: number, expected: number): PlatformError {
  return new PlatformError('UNAVAILABLE', `GitHub ended after ${seen} of ${expected} bytes when asked to ${what}.`, {
    details: { reason: 'cut', seen },
  });
}
