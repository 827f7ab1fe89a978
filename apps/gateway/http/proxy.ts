import { type ClientRequest, createServer, request as httpRequest, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { GATEWAY_HEADER, GATEWAY_PROBE_PATH } from '#libs/contracts/gateway.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { WebspaceView } from '../directory.js';
import { reach } from '../reach.js';
import type { Parts } from '../role.js';
import { joined } from '../stream.js';
import type { Waiting } from '../waiting.js';
import { hostNamed, pairsOf, passedOn } from './headers.js';
import { NOBODYS, NOT_READY, type Notice, noticeOf, SUSPENDED, tell } from './pages.js';

const LIMITS = {
  maxHeaderSize: 65_536,
  /** Slow clients: the head of a request has to arrive within this; its body may take as long as it takes. */
  headersTimeout: 20_000,
  requestTimeout: 0,
  connectionsCheckingInterval: 2_000,
  // Longer than Traefik keeps a connection that it does not use (90 s): who closes first may meet the other's next request.
  keepAliveTimeout: 120_000,
} as const;
/** May be sent a second time when the first got no answer. */
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS']);
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH']);
const AGAIN_MS = 50;

const MALFORMED: Notice = {
  status: 400,
  title: 'The request is not valid',
  text: 'It needs exactly one Host header and a path, and knows no transfer coding but chunked.',
};
const NO_BODY_HERE: Notice = { status: 400, title: 'The request is not valid', text: 'A request to upgrade the connection has no body.' };

/** A visitor and what is known of the visit. */
interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly host: string;
  readonly signal: AbortSignal;
}

/**
 * Sites by their host name: holds each request until its webspace answers, and streams both bodies, trailers included, without keeping
 * them. Every request has a connection of its own to the container, so that connections that carry several sites' requests mix up nothing.
 */
export function createProxy(parts: Parts, waiting: Waiting): Server {
  const server = createServer({ ...LIMITS, noDelay: true }, (request, response) => {
    void serve(parts, waiting, request, response);
  });
  server.on('checkContinue', (request, response) => void serve(parts, waiting, request, response));
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    socket.on('error', () => socket.destroy());
    response.once('finish', () => socket.end());
    if (head.length > 0 || hasBody(request) || request.method !== 'GET') return tell(request, response, NO_BODY_HERE);
    void serve(parts, waiting, request, response, socket as Socket);
  });
  return server;
}

async function serve(parts: Parts, waiting: Waiting, request: IncomingMessage, response: ServerResponse, upgraded?: Socket): Promise<void> {
  const { directory, metrics, log } = parts;
  const host = hostNamed(request.rawHeaders);
  // Node notices a coding that it does not know only when it reads the body.
  const codings = request.headers['transfer-encoding'] ?? 'chunked';
  if (host === undefined || !request.url?.startsWith('/') || codings.toLowerCase() !== 'chunked') return refuse(MALFORMED, 'malformed');
  if (request.url === GATEWAY_PROBE_PATH) return void response.writeHead(200, { [GATEWAY_HEADER]: hostname() }).end();
  const view = directory.byHost(host);
  if (!view || view.http.sniPassthrough) return directory.synced ? refuse(NOBODYS, 'unknown-name') : refuse(NOT_READY, 'not-ready');
  if (view.suspended) return refuse(SUSPENDED, 'suspended');
  const left = new AbortController();
  const gone = () => left.abort();
  response.once('close', gone);
  upgraded?.once('close', gone);
  const visit = { request, response, host, signal: left.signal };
  try {
    const answer = await answerOf(parts, waiting, view, visit, upgraded !== undefined);
    if (answer.is === 'upgrade') await upgrade(parts, answer, upgraded, response);
    else await respond(parts, answer.message, visit);
  } catch (error) {
    if (left.signal.aborted) return;
    log.info({ webspace: view.name, host, error: error instanceof Error ? error.message : String(error) }, 'visitor not served');
    refuse(noticeOf(error), isPlatformError(error) ? error.code : 'unknown');
  }

  function refuse(notice: Notice, reason: string): void {
    metrics.refused('http', reason);
    tell(request, response, notice);
  }
}

type Answer =
  | { readonly is: 'response'; readonly message: IncomingMessage }
  | { readonly is: 'upgrade'; readonly message: IncomingMessage; readonly socket: Socket; readonly head: Buffer };

/** The head of the webspace's answer. What may be sent again is, for as long as a web server may take to come up. */
async function answerOf({ boots, metrics }: Parts, waiting: Waiting, view: WebspaceView, visit: Visit, upgrades: boolean): Promise<Answer> {
  const { request, host, signal } = visit;
  const { port, startupDelaySeconds } = view.http;
  const repeatable = !hasBody(request) && REPEATABLE.has(request.method ?? '');
  const begun = performance.now();
  let deadline: number | undefined;
  for (;;) {
    const connection = await waiting.during(view.uid, () => reach(boots, view, port, { trigger: 'http', visited: host, signal }));
    metrics.held('http', (performance.now() - begun) / 1000);
    deadline ??= Date.now() + startupDelaySeconds * 1000;
    try {
      return await exchange(connection, visit, upgrades);
    } catch (error) {
      if (signal.aborted || !repeatable || Date.now() >= deadline) {
        throw new PlatformError('UNAVAILABLE', `${view.name} ended the connection without an answer.`, {
          cause: error,
          details: { reason: 'not-listening' },
        });
      }
      await delay(AGAIN_MS, undefined, { signal });
    }
  }
}

/** Sends the request over the connection, and its body as it comes. @throws when there is no answer. */
function exchange(connection: Socket, { request, response, signal }: Visit, upgrades: boolean): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const upstream = httpRequest({
      createConnection: () => connection,
      method: request.method ?? 'GET',
      maxHeaderSize: LIMITS.maxHeaderSize,
      path: request.url ?? '/',
      headers: requestHeaders(request, upgrades) as unknown as Record<string, string>,
      signal,
    });
    // Also what goes wrong with the request's body after its answer has begun.
    upstream.on('error', reject);
    upstream.once('response', (message) => resolve({ is: 'response', message }));
    upstream.once('upgrade', (message, socket, head) => resolve({ is: 'upgrade', message, socket: socket as Socket, head }));
    upstream.on('continue', () => response.writeContinue());
    upstream.on('information', ({ statusCode, headers }) => {
      const { link } = headers as { link?: string };
      if (statusCode === 103 && link !== undefined) response.writeEarlyHints({ link });
    });
    sendBody(request, upstream);
  });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

function sendBody(request: IncomingMessage, upstream: ClientRequest): void {
  if (!hasBody(request)) return void upstream.end();
  request.pipe(upstream, { end: false });
  request.once('end', () => {
    if (request.rawTrailers.length > 0) upstream.addTrailers(pairsOf(request.rawTrailers));
    upstream.end();
  });
  // Of a visitor who leaves in the middle of it nothing must look complete.
  request.once('close', () => request.complete || upstream.destroy());
}

/** As they came, in their order and spelling. */
function requestHeaders(request: IncomingMessage, upgrades: boolean): string[] {
  const headers = passedOn(request.rawHeaders).flat();
  if (upgrades) return [...headers, 'Connection', 'Upgrade', 'Upgrade', request.headers.upgrade ?? ''];
  const empty = !hasBody(request) && WITH_BODY.has(request.method ?? '');
  return [...headers, ...(empty ? ['Content-Length', '0'] : []), 'Connection', 'close'];
}

/** Passes the answer on as it comes; ends when the visitor has it, or has left. */
function respond({ metrics }: Parts, message: IncomingMessage, { request, response }: Visit): Promise<void> {
  return new Promise((resolve) => {
    response.sendDate = false;
    response.strictContentLength = false;
    // Node refuses to announce trailers where none can follow.
    const trailers = message.headers['transfer-encoding'] !== undefined && request.method !== 'HEAD' && request.httpVersionMinor > 0;
    const headers = passedOn(message.rawHeaders, ['transfer-encoding', ...(trailers ? [] : ['trailer'])]).flat();
    if (!request.complete) response.shouldKeepAlive = false;
    response.writeHead(message.statusCode ?? 502, message.statusMessage, headers as unknown as Record<string, string>);
    response.flushHeaders();
    let bytes = 0;
    message.on('data', (part: Buffer) => {
      bytes += part.length;
    });
    message.pipe(response, { end: false });
    message.once('end', () => {
      if (message.rawTrailers.length > 0) response.addTrailers(pairsOf(message.rawTrailers));
      response.end();
    });
    // Cut off in the middle: neither side may take it for whole.
    message.once('error', () => response.destroy());
    message.once('close', () => message.complete || response.destroy());
    response.once('close', () => {
      message.destroy();
      metrics.streamed('http', Number(request.headers['content-length'] ?? 0), bytes);
      resolve();
    });
  });
}

/** The connection is the webspace's now. */
async function upgrade(
  { metrics }: Parts,
  { message, socket, head }: Extract<Answer, { is: 'upgrade' }>,
  client: Socket | undefined,
  response: ServerResponse,
): Promise<void> {
  if (!client) throw new PlatformError('PROTOCOL', 'An upgrade that nobody asked for.');
  response.detachSocket(client);
  const lines = pairsOf(message.rawHeaders).map(([name, value]) => `${name}: ${value}\r\n`);
  client.write(`HTTP/1.1 101 ${message.statusMessage ?? ''}\r\n${lines.join('')}\r\n`, 'latin1');
  const { there, back } = await joined(socket, client, head);
  metrics.streamed('http', back, there);
}
