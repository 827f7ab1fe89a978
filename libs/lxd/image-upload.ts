import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { ImageSource } from './client-parts.js';

interface Upload {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

/**
 * A unified image is the plain body; a split one a multipart form with the parts `metadata` and `rootfs` in that order (LXD 5.0.2, tried).
 * The files are streamed. INVALID_INPUT when one cannot be read.
 */
export async function uploadBody(source: ImageSource): Promise<Upload> {
  if ('unified' in source) {
    const length = await sizeOf(source.unified);
    const headers = {
      'content-type': 'application/octet-stream',
      'content-length': `${length}`,
      'x-lxd-filename': basename(source.unified),
    };
    return { headers, body: createReadStream(source.unified) };
  }
  const boundary = `lxd-${randomBytes(16).toString('hex')}`;
  const parts = [await part(boundary, 'metadata', source.metadata), await part(boundary, 'rootfs', source.rootfs)];
  const end = Buffer.from(`--${boundary}--\r\n`);
  const length = parts.reduce((sum, { head, size }) => sum + head.length + size + 2, end.length);
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}`, 'content-length': `${length}` },
    body: Readable.from(chunks(parts, end)),
  };
}

interface Part {
  readonly head: Buffer;
  readonly size: number;
  readonly file: string;
}

async function part(boundary: string, name: string, file: string): Promise<Part> {
  const filename = basename(file).replace(/["\r\n]/g, '_');
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${filename}"\r\nContent-Type: application/octet-stream\r\n\r\n`;
  return { head: Buffer.from(head), size: await sizeOf(file), file };
}

async function* chunks(parts: readonly Part[], end: Buffer): AsyncGenerator<Buffer> {
  for (const { head, file } of parts) {
    yield head;
    yield* createReadStream(file);
    yield Buffer.from('\r\n');
  }
  yield end;
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (cause) {
    throw new PlatformError('INVALID_INPUT', `The image file ${file} cannot be read.`, { cause });
  }
}
