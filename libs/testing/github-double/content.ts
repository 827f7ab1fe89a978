import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** What a file holds: a text, bytes, a file on disk, or so many made-up bytes that are never held in memory. */
export type Content = string | Buffer | { readonly path: string } | { readonly sizeBytes: number; readonly seed?: string };

/** Content that can be read from any byte on. */
export interface Bytes {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Both ends inclusive. */
  open(from: number, to: number): Readable;
}

const BLOCK = 65_536;

export async function bytesOf(content: Content): Promise<Bytes> {
  if (typeof content === 'string' || Buffer.isBuffer(content)) return held(Buffer.from(content));
  const bytes = 'path' in content ? await onDisk(content.path) : madeUp(content.sizeBytes, content.seed ?? '');
  return { ...bytes, sha256: await hashOf(bytes.open(0, bytes.sizeBytes - 1)) };
}

function held(buffer: Buffer): Bytes {
  return {
    sizeBytes: buffer.length,
    sha256: createHash('sha256').update(buffer).digest('hex'),
    open: (from, to) => Readable.from(buffer.length === 0 ? [] : [buffer.subarray(from, to + 1)]),
  };
}

async function onDisk(path: string): Promise<Omit<Bytes, 'sha256'>> {
  const { size } = await stat(path);
  return { sizeBytes: size, open: (start, end) => (size === 0 ? Readable.from([]) : createReadStream(path, { start, end })) };
}

function madeUp(sizeBytes: number, seed: string): Omit<Bytes, 'sha256'> {
  const pattern = Buffer.alloc(BLOCK);
  for (let at = 0; at < BLOCK; at += 32) createHash('sha256').update(`${seed}/${at}`).digest().copy(pattern, at);
  function* parts(from: number, to: number): Generator<Buffer> {
    for (let at = from; at <= to; ) {
      const begin = at % BLOCK;
      const length = Math.min(BLOCK - begin, to - at + 1);
      yield pattern.subarray(begin, begin + length);
      at += length;
    }
  }
  return { sizeBytes, open: (from, to) => Readable.from(parts(from, to)) };
}

async function hashOf(stream: Readable): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(stream, hash);
  return hash.digest('hex');
}
