import { type ClientRequest, type RequestOptions as HttpOptions, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  json<T>(): T;
}

export interface HttpRequest {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly timeoutMs?: number;
  /** PEM of the authority to trust, for https. */
  readonly ca?: string;
  /** Connects here whatever the URL's host says. */
  readonly address?: string;
}

/** One request by Node's own client, so that the lab needs nothing of the platform's libraries. */
export function http(url: string, options: HttpRequest = {}): Promise<HttpAnswer> {
  const target = new URL(url);
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
  const host = options.address ?? target.hostname;
  return exchange((onAnswer) => {
    const { headers, ...rest } = base(options);
    const path = target.pathname + target.search;
    return send({ ...rest, ...tls(target, options), headers: { host: target.host, ...headers }, host, port: target.port, path }, onAnswer);
  }, options);
}

/** The same over a unix socket. */
export function httpOverSocket(socketPath: string, path: string, options: HttpRequest = {}): Promise<HttpAnswer> {
  return exchange((onAnswer) => httpRequest({ ...base(options), socketPath, path }, onAnswer), options);
}

function base(options: HttpRequest): HttpOptions & { headers: Record<string, string> } {
  const json = options.body === undefined || Buffer.isBuffer(options.body) ? {} : { 'content-type': 'application/json' };
  return { method: options.method ?? 'GET', headers: { ...json, ...options.headers }, agent: false };
}

function tls(target: URL, options: HttpRequest): Record<string, unknown> {
  if (target.protocol !== 'https:') return {};
  const byName = /^[\d.]+$/.test(target.hostname) ? {} : { servername: target.hostname };
  return { ...byName, ...(options.ca ? { ca: options.ca } : {}) };
}

type Send = (onAnswer: (answer: IncomingMessage) => void) => ClientRequest;

function exchange(send: Send, { body, timeoutMs = 10_000 }: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = send((answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text, json: <T>() => JSON.parse(text) as T });
      });
    });
    request.setTimeout(timeoutMs, () => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    request.on('error', reject);
    request.end(body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body));
  });
}
