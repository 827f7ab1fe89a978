import { PlatformError } from '#libs/errors/platform-error.js';
import { deadline } from '#libs/net/deadline.js';
import { forbidden, protocolError, sayUrl, transportError } from './errors.js';
import { discard, type GuardedHttp, type HttpAnswer, headerOf } from './http.js';
import { MAX_HOPS, redirectOf, tooManyRedirects } from './redirects.js';

/** A page of 100 releases with long texts and hundreds of assets each stays below. */
const MAX_ANSWER_BYTES = 64 * 1_048_576;
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

export interface FetchInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | null;
}

export interface ApiFetchOptions {
  readonly http: GuardedHttp;
  readonly base: URL;
  readonly timeoutMs: number;
  /** For messages; holds no secret. */
  readonly what: string;
  /** Called before each request that is sent. */
  readonly onRequest: () => void;
}

/** What Octokit calls for each request: one deadline for all of it, redirects (of repositories that moved) within GitHub's API only. */
export function apiFetch({
  http,
  base,
  timeoutMs,
  what,
  onRequest,
}: ApiFetchOptions): (url: string, init?: FetchInit) => Promise<Response> {
  return async (address, init = {}) => {
    const limit = deadline(init.signal ?? undefined, timeoutMs);
    try {
      return await follow(new URL(address), init, limit.signal);
    } catch (error) {
      if (init.signal?.aborted) throw init.signal.reason;
      if (limit.expired()) throw timeoutError(what, timeoutMs);
      throw error;
    } finally {
      limit.clear();
    }
  };

  async function follow(first: URL, init: FetchInit, signal: AbortSignal): Promise<Response> {
    let url = first;
    for (let hop = 0; hop <= MAX_HOPS; hop += 1) {
      if (url.origin !== base.origin)
        throw forbidden(`GitHub's API sent us to ${sayUrl(url)} when asked to ${what}: not followed.`, 'foreign-host');
      const method = METHODS.find((known) => known === init.method) ?? 'GET';
      const body = typeof init.body === 'string' ? init.body : undefined;
      onRequest();
      const answer = await http.open({ url, method, headers: init.headers ?? {}, body, signal, what });
      const next = redirectOf(answer, url, what);
      if (!next) return await responseOf(answer, what, signal);
      await discard(answer);
      url = next;
    }
    throw tooManyRedirects(what);
  }
}

async function responseOf(answer: HttpAnswer, what: string, signal: AbortSignal): Promise<Response> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) throw protocolError(what, `it is longer than ${MAX_ANSWER_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw transportError(what, error, signal);
  }
  const headers = new Headers();
  for (const name of Object.keys(answer.headers)) headers.set(name, headerOf(answer.headers, name) ?? '');
  return new Response(WITHOUT_BODY.has(answer.status) ? null : Buffer.concat(chunks), { status: answer.status, headers });
}

function timeoutError(what: string, timeoutMs: number): PlatformError {
  return new PlatformError('UNAVAILABLE', `GitHub gave no answer within ${timeoutMs} ms to: ${what}.`, { details: { reason: 'timeout' } });
}
