import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { ApiDependencies } from '../dependencies.js';
import type { ApiRequest } from './context.js';

/** Routes that probes and scrapers call all the time: logged at `debug` only. */
const QUIET = /^\/(health|metrics)/;

/** The HTTP server: request ids, bodies as text (parsed after authentication), access log, request metrics. */
export function createServer({ config, logger, metrics }: Pick<ApiDependencies, 'config' | 'logger' | 'metrics'>): FastifyAdapter {
  const adapter = new FastifyAdapter({
    logger: false,
    bodyLimit: config.limits.bodyBytes,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    genReqId: (request: IncomingMessage) => requestIdOf(request.headers['x-request-id']),
  });
  const server = adapter.getInstance<FastifyInstance>();
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));

  server.addHook('onRequest', (request, reply, done) => {
    reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    done();
  });
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

function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[\w.:-]{1,128}$/.test(header) ? header : randomUUID();
}
