import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { Agent, buildConnector, type Dispatcher, request } from 'undici';
import { assertPublic, publicLookup } from './addresses.js';
import { transportError } from './errors.js';

/** Headers of an answer, names in lower case. */
export type HeaderMap = Readonly<Record<string, string | string[] | number | undefined>>;

export interface HttpOptions {
  /** Origins that the configuration names: they may stand at private addresses. */
  readonly trustedOrigins: ReadonlySet<string>;
  readonly allowPrivateAddresses: boolean;
  readonly caFile?: string | undefined;
  readonly timeoutMs: number;
}

export interface HttpQuestion {
  readonly url: URL;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For messages; holds no secret. */
  readonly what: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: HeaderMap;
  readonly body: Dispatcher.ResponseData['body'];
}

/** HTTP that reaches public addresses and trusted origins only. Redirects are answers. Connecting, the head and every pause of a body have `timeoutMs`. */
export class GuardedHttp {
  readonly #agent: Agent;

  constructor({ trustedOrigins, allowPrivateAddresses, caFile, timeoutMs }: HttpOptions) {
    const tls = { timeout: timeoutMs, ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }) };
    const open = buildConnector(tls);
    const guarded = buildConnector({ ...tls, lookup: publicLookup() });
    this.#agent = new Agent({
      connect: (options, callback) => {
        if (allowPrivateAddresses || trustedOrigins.has(originOf(options))) return open(options, callback);
        try {
          // No look-up takes place for an address.
          if (isIP(options.hostname) !== 0) assertPublic(options.hostname, options.hostname);
        } catch (refusal) {
          return callback(refusal as Error, null);
        }
        guarded(options, callback);
      },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
  }

  /** Any status is an answer, whose body must be read or dumped. @throws PlatformError UNAVAILABLE, FORBIDDEN (a private address), or the signal's reason. */
  async open({ url, method = 'GET', headers, body, signal, what }: HttpQuestion): Promise<HttpAnswer> {
    signal?.throwIfAborted();
    try {
      const answer = await request(url, { dispatcher: this.#agent, method, headers, body: body ?? null, signal: signal ?? null });
      return { status: answer.statusCode, headers: answer.headers, body: answer.body };
    } catch (error) {
      throw transportError(what, error, signal);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function originOf({ protocol, hostname, port }: buildConnector.Options): string {
  const host = isIP(hostname) === 6 ? `[${hostname}]` : hostname;
  return new URL(`${protocol}//${host}${port ? `:${port}` : ''}`).origin;
}

/** Reads a redirect's or an error's body away, so that the connection can be used again; a long one costs the connection. */
export async function discard({ body }: HttpAnswer): Promise<void> {
  // How it ends does not matter: its content is not wanted.
  await body.dump({ limit: 65_536 }).catch(() => undefined);
}

export function headerOf(headers: HeaderMap, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value?.toString();
}
