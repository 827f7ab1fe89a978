import { z } from 'zod';
import type { GithubConfig } from '#libs/config/github.js';
import { apiFetch } from './api-fetch.js';
import { Credentials, type InstallationToken } from './credentials.js';
import { platformErrorIn, protocolError, statusError, transportError } from './errors.js';
import type { GuardedHttp, HeaderMap } from './http.js';
import { RateLimits } from './limits.js';

export interface ApiQuestion {
  /** A path below the base URL with `{parameters}`, or a URL of the same origin (a `Link`). */
  readonly path: string;
  readonly parameters?: Readonly<Record<string, string | number>>;
  /** Given the identity that asks: an ETag is good for one identity only. */
  readonly etagFor?: (identity: string) => string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly what: string;
}

/** A call that is no conditional read. */
export interface ApiCall extends Omit<ApiQuestion, 'etagFor' | 'parameters'> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** What stands in the path's `{…}`, and beside it in the query of a GET or in the body. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Statuses that are answers for the caller, e.g. 404, 409; limits and a refused credential never are. */
  readonly answers?: readonly number[];
}

export interface ApiAnswer {
  /** 2xx, 304 for a conditional question, or one of `answers`. */
  readonly status: number;
  readonly headers: HeaderMap;
  readonly data: unknown;
  readonly identity: string;
  /** Requests that it took: more than one for a repository that moved. */
  readonly calls: number;
}

export interface ApiOptions {
  readonly config: GithubConfig;
  readonly http: GuardedHttp;
  readonly now: () => number;
}

const VERSION_HEADERS = { 'x-github-api-version': '2022-11-28' };
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const installationToken = z.object({ token: z.string().regex(/^[\x21-\x7e]+$/), expiresAt: z.iso.datetime({ offset: true }) });
const requestFailure = z.object({
  status: z.number(),
  response: z.object({ headers: z.record(z.string(), z.string()), data: z.unknown() }),
});

/** Loaded when first needed: it takes a tenth of a second. */
async function octokitOf({ config }: ApiOptions) {
  const { App, Octokit } = await import('octokit');
  // Both plugins wait and ask again in process; whoever calls us has durable timers for that.
  const settings = { retry: { enabled: false }, throttle: { enabled: false }, log: silent, userAgent: 'webspaces' };
  return { App, Octokit: Octokit.defaults({ ...settings, baseUrl: config.baseUrl.replace(/\/+$/, '') }) };
}

/** GitHub's REST API, asked by Octokit. Throws the errors that `Github` names; a 304 is an answer. */
export class GithubApi {
  readonly credentials: Credentials;
  readonly limits: RateLimits;
  readonly #options: ApiOptions;
  #octokit: ReturnType<typeof octokitOf> | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.limits = new RateLimits(options.now);
    this.credentials = new Credentials(options.config.auth, (app) => this.#askInstallationToken(app), options.now);
  }

  get(question: ApiQuestion): Promise<ApiAnswer> {
    return this.#ask({ ...question, method: 'GET' });
  }

  /** Never sent twice by itself: whoever writes finds out first whether it was done already. */
  call(call: ApiCall): Promise<ApiAnswer> {
    return this.#ask(call);
  }

  async #ask({
    method,
    path,
    parameters = {},
    answers = [],
    etagFor,
    signal,
    what,
  }: ApiCall & Pick<ApiQuestion, 'etagFor'>): Promise<ApiAnswer> {
    const { token, identity, limitsOf } = await this.credentials.current();
    this.limits.check(limitsOf, what);
    const { Octokit } = await this.#loaded();
    const etag = etagFor?.(identity);
    const headers = { ...VERSION_HEADERS, ...(etag === undefined ? {} : { 'if-none-match': etag }) };
    const authorized = token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` };
    let calls = 0;
    const count = () => {
      calls += 1;
    };
    const request = { fetch: this.#fetch(what, count), ...(signal ? { signal } : {}), log: silent };
    try {
      const answer = await new Octokit().request(`${method} ${path}`, { ...parameters, headers: authorized, request });
      this.limits.note(limitsOf, what, { status: answer.status, headers: answer.headers, says: '' });
      return { status: answer.status, headers: answer.headers, data: answer.data, identity, calls };
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      const { status, headers: told, data } = this.#failed(what, limitsOf, error, answers);
      return { status, headers: told, data, identity, calls };
    }
  }

  /** The answer of a 304 and of what the caller takes for one; everything else is thrown. */
  #failed(
    what: string,
    limitsOf: string,
    error: unknown,
    answers: readonly number[] = [],
  ): { status: number; headers: HeaderMap; data?: unknown } {
    const known = platformErrorIn(error);
    if (known) throw known;
    const failure = requestFailure.safeParse(error);
    if (!failure.success) throw transportError(what, error);
    const { status, response } = failure.data;
    const says = sentenceOf(response.data);
    this.limits.note(limitsOf, what, { status, headers: response.headers, says });
    if (status === 304) return { status, headers: response.headers };
    if (status === 401) this.credentials.refused();
    else if (answers.includes(status)) return { status, headers: response.headers, data: response.data };
    throw statusError(what, status, says);
  }

  async #askInstallationToken({
    appId,
    installationId,
    privateKey,
  }: {
    appId: number;
    installationId: number;
    privateKey: string;
  }): Promise<InstallationToken> {
    const what = `get a token for installation ${installationId}`;
    const limitsOf = `app-${appId}`;
    this.limits.check(limitsOf, what);
    const { App, Octokit } = await this.#loaded();
    const WithFetch = Octokit.defaults({ request: { fetch: this.#fetch(what), log: silent } });
    try {
      const app = new App({ appId, privateKey, Octokit: WithFetch, log: silent });
      const parsed = installationToken.safeParse(await app.octokit.auth({ type: 'installation', installationId, refresh: true }));
      if (!parsed.success) throw protocolError(what, 'it holds no token with an end');
      return { token: parsed.data.token, expiresAtMs: Date.parse(parsed.data.expiresAt) };
    } catch (error) {
      this.#failed(what, limitsOf, error);
      throw protocolError(what, 'it is no token');
    }
  }

  #fetch(what: string, onRequest: () => void = () => undefined) {
    const { http, config } = this.#options;
    return apiFetch({ http, base: new URL(config.baseUrl), timeoutMs: config.timeoutMs, what, onRequest });
  }

  async #loaded() {
    this.#octokit ??= octokitOf(this.#options);
    return await this.#octokit;
  }
}

function sentenceOf(data: unknown): string {
  const parsed = z.object({ message: z.string() }).safeParse(data);
  return parsed.success ? parsed.data.message : '';
}
