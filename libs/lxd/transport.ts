import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Pool } from 'undici';
import { deadline } from '#libs/net/deadline.js';
import type { CallOptions } from './client.js';
import type { Dialer } from './dial.js';
import { isDroppedSocket, timeoutError, transportError } from './error-reasons.js';

export interface HttpRequest extends CallOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query, already encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | Readable;
  /** What the request does, for messages: `start instance ws-u1`. Holds no secret. */
  readonly what: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Above LXD's own longest time-out: an unreachable cluster member takes 20 to 30 s to become a 500 (LXD 5.0.2, tried). */
export const DEFAULT_TIMEOUT_MS = 40_000;

/**
 * LXD over HTTP/1.1 with keep-alive. Any status is an answer; UNAVAILABLE when there is none, the signal's reason when aborted. A short write
 * that is under way is waited for all the same.
 */
export class Transport {
  readonly #pool: Pool;
  readonly #defaultTimeoutMs: number;

  constructor(dialer: Dialer, defaultTimeoutMs = DEFAULT_TIMEOUT_MS) {
    this.#defaultTimeoutMs = defaultTimeoutMs;
    this.#pool = new Pool(dialer.origin, {
      connect: (_options, callback) => dialer.dial((error, socket) => (socket ? callback(null, socket) : callback(error as Error, null))),
      // Waits on operations hold a connection each, so the number of connections is not limited.
      connections: null,
      keepAliveTimeout: 10_000,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  async request(request: HttpRequest): Promise<HttpAnswer> {
    request.signal?.throwIfAborted();
    const timeoutMs = request.timeoutMs ?? this.#defaultTimeoutMs;
    const limit = deadline(isShortWrite(request) ? undefined : request.signal, timeoutMs);
    try {
      return await this.#send(request, limit.signal);
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason;
      throw limit.expired() ? timeoutError(request.what, timeoutMs) : transportError(request.what, error);
    } finally {
      limit.clear();
    }
  }

  async #send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    try {
      return await this.#once(request, signal);
    } catch (error) {
      // LXD may close an idle connection just as we write to it; a GET may be sent again. After this turn other dead sockets are known too.
      if (request.method !== 'GET' || signal.aborted || !isDroppedSocket(error)) throw error;
      await nextTurn();
      return await this.#once(request, signal);
    }
  }

  async #once({ method, path, headers, body }: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const answer = await this.#pool.request({ method, path, headers: headers ?? {}, body: body ?? null, signal });
    return { status: answer.statusCode, headers: answer.headers, body: Buffer.from(await answer.body.arrayBuffer()) };
  }

  /** Ends idle connections at once and fails what is still under way. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** One that is aborted on its way may still be done: the caller could undo it before it happens. LXD answers it by an operation at once. */
function isShortWrite({ method, body }: HttpRequest): boolean {
  return method !== 'GET' && (body === undefined || typeof body === 'string');
}
