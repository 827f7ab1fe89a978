import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { Agent, type Dispatcher } from 'undici';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { assertPublic, publicLookup } from '#libs/github/addresses.js';

const REDIRECTS = 5;
const AGENTS = 16;

export interface ImageServersOptions {
  readonly allowPrivateAddresses: boolean;
  /** Longest silence of a server. */
  readonly timeoutMs: number;
}

interface AskOptions {
  /** PEM that the server must show. */
  readonly certificate?: string | undefined;
  readonly signal: AbortSignal;
}

/** The bytes of a file, as they come. */
export interface OpenedFile {
  readonly body: Readable;
  /** Position of the first byte of `body` in the file; 0 from a server that ignores ranges. */
  readonly startsAt: number;
  /** Of the whole file; undefined when the server does not say. */
  readonly totalBytes: number | undefined;
}

/**
 * Other image servers, by https only. Unless private addresses are allowed no connection is made to one, whatever a name resolves to and wherever a
 * redirect leads. Throws NOT_FOUND, DENIED_UPSTREAM, RATE_LIMITED, UNAVAILABLE, FORBIDDEN (an address that is not allowed), PROTOCOL.
 */
export class ImageServers {
  readonly #options: ImageServersOptions;
  readonly #agents = new Map<string, Agent>();

  constructor(options: ImageServersOptions) {
    this.#options = options;
  }

  /** A document of at most so many bytes. */
  async text(url: string, { maxBytes, ...options }: AskOptions & { readonly maxBytes: number }): Promise<string> {
    const { body } = await this.#ask(url, options, {});
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) {
        body.destroy();
        throw new PlatformError('PROTOCOL', `${url} is larger than ${maxBytes} bytes.`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  /** A file from the given byte on. */
  async open(url: string, { from = 0, ...options }: AskOptions & { readonly from?: number }): Promise<OpenedFile> {
    const { statusCode, headers, body } = await this.#ask(url, options, from > 0 ? { range: `bytes=${from}-` } : {});
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(String(headers['content-range'] ?? '')) ?? [];
    if (statusCode === 206 && first !== undefined) return { body, startsAt: Number(first), totalBytes: Number(total) };
    const length = headers['content-length'];
    return { body, startsAt: 0, totalBytes: length === undefined ? undefined : Number(length) };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.destroy()));
    this.#agents.clear();
  }

  async #ask(
    first: string,
    { certificate, signal }: AskOptions,
    headers: Readonly<Record<string, string>>,
  ): Promise<Dispatcher.ResponseData> {
    let url = this.#checked(first);
    const { origin } = url;
    for (let redirect = 0; redirect <= REDIRECTS; redirect++) {
      // A pinned certificate speaks for its own server only.
      const agent = this.#agent(url.origin === origin ? certificate : undefined);
      const answer = await this.#send(agent, url, headers, signal);
      const { location } = answer.headers;
      if (![301, 302, 303, 307, 308].includes(answer.statusCode) || typeof location !== 'string') return this.#accepted(url, answer);
      await answer.body.dump();
      url = this.#checked(URL.canParse(location, url.href) ? new URL(location, url).href : location);
    }
    throw new PlatformError('PROTOCOL', `${first} leads from one place to another for ever.`);
  }

  async #send(agent: Agent, url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    try {
      return await agent.request({ origin: url.origin, path: url.pathname + url.search, method: 'GET', headers, signal });
    } catch (error) {
      const { cause } = error as { cause?: unknown };
      if (isPlatformError(cause)) throw cause;
      if (signal.aborted || isPlatformError(error)) throw error;
      throw new PlatformError('UNAVAILABLE', `The image server ${url.host} does not answer: ${messageOf(error)}.`, { cause: error });
    }
  }

  async #accepted(url: URL, answer: Dispatcher.ResponseData): Promise<Dispatcher.ResponseData> {
    const { statusCode, headers } = answer;
    // Whoever reads the body is told by the read; one that nobody reads to its end must not end the process.
    answer.body.on('error', () => undefined);
    if (statusCode === 200 || statusCode === 206) return answer;
    await answer.body.dump();
    const what = `The image server ${url.host} answers ${statusCode} to ${url.pathname}.`;
    if (statusCode === 404 || statusCode === 410) throw new PlatformError('NOT_FOUND', what);
    if (statusCode === 401 || statusCode === 403) throw new PlatformError('DENIED_UPSTREAM', what);
    if (statusCode !== 429 && statusCode < 500) throw new PlatformError('PROTOCOL', what);
    const seconds = Number(headers['retry-after'] ?? Number.NaN);
    throw new PlatformError(statusCode === 429 ? 'RATE_LIMITED' : 'UNAVAILABLE', what, {
      details: Number.isFinite(seconds) ? { retryAfterMs: seconds * 1000 } : {},
    });
  }

  #checked(text: string): URL {
    if (!URL.canParse(text)) throw new PlatformError('PROTOCOL', 'An image server sends on to what is no address.');
    const url = new URL(text);
    if (url.protocol !== 'https:') throw new PlatformError('FORBIDDEN', `${url.origin} is no https address.`);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) && !this.#options.allowPrivateAddresses) assertPublic(host, host);
    return url;
  }

  #agent(certificate: string | undefined): Agent {
    const key = createHash('sha256')
      .update(certificate ?? '')
      .digest('hex');
    const known = this.#agents.get(key);
    if (known) return known;
    const { timeoutMs, allowPrivateAddresses } = this.#options;
    const connect = {
      timeout: timeoutMs,
      ...(allowPrivateAddresses ? {} : { lookup: publicLookup() }),
      ...(certificate === undefined ? {} : { ca: certificate }),
    };
    const agent = new Agent({ connect, headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
    this.#agents.set(key, agent);
    const [oldest] = this.#agents;
    if (oldest && this.#agents.size > AGENTS) {
      this.#agents.delete(oldest[0]);
      void oldest[1].close();
    }
    return agent;
  }
}
