import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { OctolxdConfig } from '#libs/config/octolxd.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { Repository } from '#libs/github/types.js';
import type { Logger } from '#libs/logging/logger.js';
import type { FileSender } from './files/send-file.js';
import { plain, problemOf } from './http/problem.js';
import { type Route, routeOf } from './http/route.js';
import { send, sendDocument, sendProblem } from './http/send.js';
import type { OctolxdMetrics } from './metrics.js';
import { frontPage } from './pages/front-page.js';
import { PAGE_HEADERS } from './pages/html.js';
import { repositoryPage } from './pages/repository-page.js';
import type { Repositories } from './repositories.js';
import type { ViewAnswer } from './repository-view.js';

export interface HandlerParts {
  readonly config: OctolxdConfig;
  readonly repositories: Repositories;
  readonly files: FileSender;
  readonly metrics: OctolxdMetrics;
  readonly log: Logger;
}

const HTML = 'text/html; charset=utf-8';

/** Answers every request; nothing thrown leaves it. */
export function createHandler(parts: HandlerParts): RequestListener {
  const { metrics, log } = parts;
  return (request, response) => {
    let kind: Route['kind'] = 'nothing';
    response.once('close', () => metrics.request(kind, response.statusCode));
    const failed = (error: unknown): void => {
      const problem = problemOf(error);
      const fields = { method: request.method, url: request.url, err: error };
      if (problem.unexpected) log.error(fields, 'a request failed in a way nobody foresaw');
      else if (problem.status >= 500) log.warn(fields, problem.detail);
      if (response.headersSent) response.destroy();
      else sendProblem(response, problem);
    };
    try {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        sendProblem(response, plain(405, 'method not allowed', { allow: 'GET, HEAD', connection: 'close' }));
        return;
      }
      const route = routeOf(request.url ?? '/');
      kind = route.kind;
      const answered = answer(route, { request, response }, parts);
      if (answered) answered.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** At once where everything is known: then no promise is made. */
function answer(route: Route, exchange: Exchange, parts: HandlerParts): Promise<void> | undefined {
  const { response } = exchange;
  switch (route.kind) {
    case 'document': {
      const fresh = parts.repositories.fresh(route.repository);
      if (fresh) return void documentAnswer(route.document, fresh, exchange, parts);
      return parts.repositories.look(route.repository).then((looked) => documentAnswer(route.document, looked, exchange, parts));
    }
    case 'file':
      return fileAnswer(route, exchange, parts);
    case 'page':
      return pageAnswer(route.repository, exchange, parts);
    case 'front':
      return void send(response, 200, { type: HTML, body: frontPage(parts.config), headers: PAGE_HEADERS });
    case 'health':
      return void response.writeHead(204).end();
    case 'live':
    case 'ready':
    case 'metrics':
      return parts.config.health ? void nothing(response) : healthAnswer(route.kind, response, parts.metrics);
    case 'nothing':
      return void nothing(response);
  }
}

function nothing(response: ServerResponse): void {
  sendProblem(response, plain(404, 'not found'));
}

function documentAnswer(name: 'index' | 'images', looked: ViewAnswer, { request, response }: Exchange, parts: HandlerParts): void {
  const stale = looked.stale !== undefined;
  if (stale) parts.metrics.stale();
  // What is not all there yet is not to be kept by anybody.
  const refreshSeconds = looked.offered.complete ? parts.config.refreshSeconds : 0;
  sendDocument(request, response, looked.offered[name], { ageSeconds: looked.ageSeconds, stale, refreshSeconds });
}

async function fileAnswer(
  { repository, path }: Extract<Route, { kind: 'file' }>,
  { request, response }: Exchange,
  { repositories, files }: HandlerParts,
): Promise<void> {
  const file = await repositories.file(repository, path);
  if (!file) {
    throw new PlatformError('NOT_FOUND', `There is no file ${path} in the releases of ${repository.owner}/${repository.name}.`, {
      details: { legacyMessage: 'Not Found' },
    });
  }
  try {
    await files.send(request, response, file);
  } catch (error) {
    if (isPlatformError(error, 'NOT_FOUND')) repositories.doubt(repository);
    throw error;
  }
}

async function pageAnswer(repository: Repository, { response }: Exchange, { repositories, config }: HandlerParts): Promise<void> {
  const looked = await repositories.look(repository);
  const body = repositoryPage({ repository, publicUrl: config.publicUrl, answer: looked });
  send(response, 200, { type: HTML, body, headers: PAGE_HEADERS });
}

async function healthAnswer(kind: 'live' | 'ready' | 'metrics', response: ServerResponse, { registry }: OctolxdMetrics): Promise<void> {
  if (kind === 'metrics') return send(response, 200, { type: registry.contentType, body: await registry.metrics() });
  send(response, 200, {
    type: 'application/json',
    body: JSON.stringify(kind === 'live' ? { status: 'live' } : { status: 'ready', reasons: {} }),
  });
}
