import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);

/** A body that is sent many times: compressed once, with what makes requests for it conditional. */
export interface Document {
  readonly plain: Form;
  readonly gzip: Form;
  /** Milliseconds since 1970, whole seconds; later for each change, so that one second never means two contents. */
  readonly modifiedMs: number;
}

export interface Form {
  readonly body: Buffer;
  readonly etag: string;
  /** Headers that do not change with time. */
  readonly headers: readonly string[];
}

/** The document of these bytes; `before` when nothing changed. */
export async function documentOf(body: Buffer, before: Document | undefined, nowMs: number): Promise<Document> {
  if (before?.plain.body.equals(body)) return before;
  const modifiedMs = Math.max(Math.floor(nowMs / 1000) * 1000, (before?.modifiedMs ?? -1000) + 1000);
  const hash = createHash('sha256').update(body).digest('base64url').slice(0, 27);
  const form = (bytes: Buffer, etag: string, more: readonly string[]): Form => ({
    body: bytes,
    etag,
    headers: [
      ...['Content-Type', 'application/json', 'Content-Length', String(bytes.length), 'ETag', etag],
      ...['Last-Modified', new Date(modifiedMs).toUTCString(), 'Vary', 'Accept-Encoding', 'X-Content-Type-Options', 'nosniff', ...more],
    ],
  });
  const packed = await compress(body, { level: 9 });
  return {
    plain: form(body, `"${hash}"`, ['Accept-Ranges', 'bytes']),
    gzip: form(packed, `"${hash}-gzip"`, ['Content-Encoding', 'gzip']),
    modifiedMs,
  };
}
