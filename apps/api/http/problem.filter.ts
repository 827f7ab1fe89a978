import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Logger } from '#libs/logging/logger.js';
import type { ApiRequest } from './context.js';
import { plain, problemOf, sendProblem } from './problem.js';
import type { RouteTable } from './route-table.js';

/** Turns whatever was thrown into application/problem+json; also for paths and methods that do not exist. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly logger: Logger,
    private readonly routes: RouteTable,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<ApiRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const problem = request.is404 ? this.#noSuchRoute(request) : problemOf(error);
    const fields = { requestId: request.id, err: error };
    if (problem.unexpected) this.logger.error(fields, 'a request failed in a way nobody foresaw');
    else if (problem.status >= 500) this.logger.warn(fields, problem.body.detail);
    if (reply.sent) return;
    sendProblem(reply, request.id, problem);
  }

  #noSuchRoute(request: ApiRequest) {
    const allowed = this.routes.methodsAt(request.url.split('?')[0] as string);
    if (allowed.length === 0) return plain(404, 'API endpoint not found');
    return plain(405, 'method not allowed on API endpoint', { allow: allowed.join(', ') });
  }
}
