import type { IncomingMessage, ServerResponse } from 'node:http';
import { isUnchanged, rangeOf, takesGzip } from './conditions.js';
import type { Document } from './document.js';
import { type Problem, problemBody } from './problem.js';

/** How far an answer can be relied on. */
export interface Freshness {
  readonly ageSeconds: number;
  readonly stale: boolean;
  readonly refreshSeconds: number;
}

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';
/** RFC 7234, 5.5.1. */
const STALE_WARNING = '110 - "Response is Stale"';

/** Sends a document, or of it what the client wants or has not. */
export function sendDocument(request: IncomingMessage, response: ServerResponse, document: Document, freshness: Freshness): void {
  const { headers } = request;
  const form = headers.range === undefined && takesGzip(headers['accept-encoding']) ? document.gzip : document.plain;
  const changing = freshnessHeaders(freshness);
  if (isUnchanged(headers, { etags: [document.plain.etag, document.gzip.etag], modifiedMs: document.modifiedMs })) {
    const same = ['ETag', form.etag, 'Last-Modified', new Date(document.modifiedMs).toUTCString(), 'Vary', 'Accept-Encoding'];
    response.writeHead(304, [...same, ...changing]).end();
    return;
  }
  const range = rangeOf(headers, form.body.length, form.etag);
  if (range === undefined) {
    response.writeHead(200, [...form.headers, ...changing]).end(form.body);
    return;
  }
  if (range === 'unsatisfiable') {
    sendUnsatisfiable(response, form.body.length);
    return;
  }
  const part = form.body.subarray(range.first, range.last + 1);
  const where = ['Content-Range', `bytes ${range.first}-${range.last}/${form.body.length}`, 'Content-Length', String(part.length)];
  response.writeHead(206, [...without(form.headers, 'Content-Length'), ...where, ...changing]).end(part);
}

export function sendUnsatisfiable(response: ServerResponse, size: number): void {
  response.writeHead(416, { 'content-range': `bytes */${size}`, 'content-length': 0 }).end();
}

export function sendProblem(response: ServerResponse, problem: Problem): void {
  send(response, problem.status, {
    type: PROBLEM_TYPE,
    body: problemBody(problem),
    headers: { ...problem.headers, 'cache-control': 'no-store' },
  });
}

export interface Content {
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function send(response: ServerResponse, status: number, { type, body, headers = {} }: Content): void {
  response
    .writeHead(status, { ...headers, 'content-type': type, 'content-length': Buffer.byteLength(body), 'x-content-type-options': 'nosniff' })
    .end(body);
}

/** Shared caches may keep it as long as it counts as fresh here, counted from when GitHub confirmed it. */
function freshnessHeaders({ ageSeconds, stale, refreshSeconds }: Freshness): string[] {
  const headers = ['Cache-Control', `public, max-age=${Math.floor(refreshSeconds)}`, 'Age', String(ageSeconds)];
  return stale ? [...headers, 'Warning', STALE_WARNING] : headers;
}

function without(headers: readonly string[], name: string): string[] {
  return headers.filter((_, at) => headers[at - (at % 2)] !== name);
}
