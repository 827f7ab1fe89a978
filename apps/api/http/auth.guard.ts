import { type CanActivate, type ExecutionContext, Inject, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { PlatformError } from '#libs/errors/platform-error.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { StreamKind } from '../streams/schemas.js';
import { Tickets } from '../streams/tickets.service.js';
import type { ApiRequest } from './context.js';

const PUBLIC = 'webspaces:public';

/** A route that needs no token. */
export const Public = () => SetMetadata(PUBLIC, true);

const TICKET = 'webspaces:ticket';

/** A WebSocket that a ticket opens, too: browsers cannot send a token with it. */
export const TakesTicket = (stream: StreamKind) => SetMetadata(TICKET, stream);

/** Every route needs a token unless it is {@link Public}; `:user` of a path becomes the account it names, if the caller may name it. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(Tickets) private readonly tickets: Tickets,
  ) {}

  canActivate(execution: ExecutionContext): boolean | Promise<boolean> {
    if (this.reflector.getAllAndOverride<boolean>(PUBLIC, [execution.getHandler(), execution.getClass()])) return true;
    const request = execution.switchToHttp().getRequest<ApiRequest>();
    const stream = this.reflector.get<StreamKind | undefined>(TICKET, execution.getHandler());
    const { ticket } = request.query as { readonly ticket?: unknown };
    if (stream === undefined || ticket === undefined || request.headers.authorization !== undefined) return this.#authenticate(request);
    Object.assign(request, this.tickets.redeem(ticket, { stream, user: (request.params as { readonly user: string }).user }));
    return true;
  }

  async #authenticate(request: ApiRequest): Promise<boolean> {
    const { identity } = this.deps;
    const token = /^Bearer ([\w.~+/=-]+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) throw new PlatformError('UNAUTHORIZED', 'token required for this endpoint');
    request.caller = await identity.authenticate(token);
    const { user } = request.params as { readonly user?: string };
    if (user !== undefined) request.account = await identity.account(user, request.caller);
    return true;
  }
}
