import { z } from 'zod';
import { httpError, protocolError } from './error-reasons.js';
import type { HttpAnswer } from './transport.js';

export interface Answer {
  readonly kind: 'sync' | 'async';
  readonly metadata: unknown;
  readonly http: HttpAnswer;
}

/** LXD's envelope (LXD 5.0.2, tried); the code in `error_code` equals the HTTP status. */
const envelope = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('sync'), metadata: z.unknown() }),
  z.looseObject({ type: z.literal('async'), metadata: z.unknown() }),
  z.looseObject({ type: z.literal('error'), error_code: z.number(), error: z.string() }),
]);

/**
 * The envelope of an answer. Throws the error it carries; PROTOCOL when it is not LXD's, so that a stranger's 404 or empty object is never
 * read as "there is none".
 */
export function readAnswer(http: HttpAnswer, what: string): Answer {
  const parsed = envelope.safeParse(json(http.body));
  if (!parsed.success) throw foreign(http, what);
  const { data } = parsed;
  if (data.type === 'error') {
    throw httpError(what, { status: http.status, text: data.error, retryAfterMs: retryAfterMs(http) });
  }
  if (http.status >= 300) throw protocolError(what, `status ${http.status} with a ${data.type} answer`);
  return { kind: data.type, metadata: data.metadata, http };
}

/** An answer whose body is no envelope when it went well: file contents, logs. */
export function readBytes(http: HttpAnswer, what: string): Buffer {
  if (http.status === 200) return http.body;
  readAnswer(http, what);
  throw protocolError(what, `status ${http.status} where bytes were expected`);
}

/** Parses at the edge; PROTOCOL names the first field that does not fit. */
export function parseMetadata<T>(metadata: unknown, schema: z.ZodType<T>, what: string): T {
  const parsed = schema.safeParse(metadata);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw protocolError(what, `field "${issue?.path.join('.') || 'metadata'}": ${issue?.message ?? 'unknown form'}`);
}

function foreign(http: HttpAnswer, what: string): Error {
  const type = http.headers['content-type'] ?? 'none';
  if (http.status === 429 || http.status >= 502) {
    return httpError(what, { status: http.status, text: `a proxy answered ${http.status}`, retryAfterMs: retryAfterMs(http) });
  }
  return protocolError(what, `status ${http.status}, content type ${type}, ${http.body.length} bytes without LXD's envelope`);
}

function retryAfterMs({ headers }: HttpAnswer): number | undefined {
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}

function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // Not JSON: the envelope's schema says so, with the content type.
    return undefined;
  }
}
