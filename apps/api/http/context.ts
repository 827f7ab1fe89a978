import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { AccountInfo, Caller } from '#libs/identity/identity.js';

/** A request with what the guard found out about it. */
export interface ApiRequest extends FastifyRequest {
  caller?: Caller;
  account?: AccountInfo;
  operationId?: string;
}

/** What a use case needs to know of the request it serves. */
export interface RequestContext {
  readonly caller: Caller;
  /** The account that `{user}` of the path names. */
  readonly account: AccountInfo;
  /** Method and pattern, e.g. `POST /v1/webspace/:user`. */
  readonly route: string;
  readonly idempotencyKey: string | undefined;
  /** Puts the operation's id into the answer's headers and the log. */
  noteOperation(id: string): void;
}

class HttpRequestContext implements RequestContext {
  readonly #request: ApiRequest;
  constructor(request: ApiRequest) {
    this.#request = request;
  }
  get caller(): Caller {
    return present(this.#request.caller);
  }
  get account(): AccountInfo {
    return present(this.#request.account);
  }
  get route(): string {
    return `${this.#request.method} ${this.#request.routeOptions.url}`;
  }
  get idempotencyKey(): string | undefined {
    return idempotencyKeyOf(this.#request.headers['idempotency-key']);
  }
  noteOperation(id: string): void {
    this.#request.operationId = id;
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the guard has not run for this route');
  return value;
}

function idempotencyKeyOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[\x21-\x7e]{1,255}$/.test(header)) return header;
  throw new PlatformError('INVALID_INPUT', 'Idempotency-Key must be 1 to 255 printable characters without spaces.', {
    details: { field: 'Idempotency-Key' },
  });
}

/** The {@link RequestContext} of a route that needs a token. */
export const Context = createParamDecorator((_data: unknown, execution: ExecutionContext): RequestContext => {
  return new HttpRequestContext(execution.switchToHttp().getRequest<ApiRequest>());
});
