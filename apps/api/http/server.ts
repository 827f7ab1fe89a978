import { randomUUID } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiDependencies } from '../dependencies.js';
import { refusePreflights } from './browsers.js';
import type { ApiRequest } from './context.js';
import { PROBLEM_TYPE, plain, problemOf, sendProblem } from './problem.js';

/** Routes that probes and scrapers call all the time: logged at `debug` only. */
const QUIET = /^\/(health|metrics)/;

/** Routes whose bodies are bytes that are read as they come, each with a limit of its own. */
const RAW_BODIES: ReadonlySet<string> = new Set(['/v2/images/uploads', '/v2/github/webhook']);

/** The HTTP server: request ids, bodies as text (parsed after authentication), access log, request metrics. */
export function createServer({ config, logger, metrics }: Pick<ApiDependencies, 'config' | 'logger' | 'metrics'>): FastifyAdapter {
  const adapter = new FastifyAdapter({
    logger: false,
    bodyLimit: config.limits.bodyBytes,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    // The longest part of a path that means something is a domain.
    routerOptions: { maxParamLength: 300 },
    trustProxy: [...config.trustedProxies],
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => sendProblem(reply, request.id, problemOf(error)),
    clientErrorHandler: answerUnreadable,
    genReqId: (request: IncomingMessage) => requestIdOf(request.headers['x-request-id']),
  });
  const server = adapter.getInstance<FastifyInstance>();
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  server.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));

  server.addHook('onRequest', (request, reply, done) => {
    // Bodies are JSON whatever their type says, also when it is none.
    if (RAW_BODIES.has(request.routeOptions.url ?? '')) request.raw.headers['content-type'] = 'application/octet-stream';
    else if (request.headers['content-type'] !== undefined) request.raw.headers['content-type'] = 'application/json';
    reply.headers({ 'x-request-id': request.id, 'cache-control': 'no-store' });
    done();
  });
  refusePreflights(server);
  server.addHook('onSend', (request: ApiRequest, reply, _payload, done) => {
    if (request.operationId) reply.header('x-operation-id', request.operationId);
    done();
  });
  server.addHook('onResponse', (request: ApiRequest, reply, done) => {
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
    metrics.request({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
    logger[QUIET.test(route) ? 'debug' : 'info'](
      {
        requestId: request.id,
        method: request.method,
        path: request.url.split('?')[0],
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        ...(request.caller ? { caller: request.caller.subject } : {}),
        ...(request.operationId ? { operationId: request.operationId } : {}),
      },
      'answered',
    );
    done();
  });
  return adapter;
}

/** Bytes that are no HTTP request, or whose head is too large: there is no request yet, only its connection. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error);
    return;
  }
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = late ? 408 : error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
  const text = JSON.stringify(plain(status, late ? 'The request took too long to arrive.' : 'This is not a valid HTTP request.').body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
  ];
  socket.end(`${[...head, 'Connection: close'].join('\r\n')}\r\n\r\n${text}`);
}

function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[\w.:-]{1,128}$/.test(header) ? header : randomUUID();
}
