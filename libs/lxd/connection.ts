import type { z } from 'zod';
import { type Answer, parseMetadata, readAnswer } from './answer.js';
import type { CallOptions } from './client.js';
import { protocolError } from './error-reasons.js';
import { type RawOperation, rawOperation } from './schemas.js';
import type { HttpAnswer, HttpRequest, Transport } from './transport.js';

export interface Target {
  /** Path and query, already encoded (see {@link path}). */
  readonly path: string;
  readonly what: string;
}

export interface Change extends Target {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** LXD's envelope over HTTP: every method throws the errors of `error-reasons.ts`. */
export class Connection {
  readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  /** GET of a sync answer, parsed. */
  async read<T>(target: Target, schema: z.ZodType<T>, options: CallOptions = {}): Promise<{ value: T; http: HttpAnswer }> {
    const answer = await this.#send({ ...target, ...options, method: 'GET' });
    if (answer.kind !== 'sync') throw protocolError(target.what, 'an operation came where a value was expected');
    return { value: parseMetadata(answer.metadata, schema, target.what), http: answer.http };
  }

  /** A change that is done when LXD answers. */
  async change(change: Change, options: CallOptions = {}): Promise<Answer> {
    const answer = await this.#sendChange(change, options);
    if (answer.kind !== 'sync') throw protocolError(change.what, 'an operation came where LXD answers at once');
    return answer;
  }

  /** A change that LXD carries out in an operation. */
  async start(change: Change, options: CallOptions = {}): Promise<RawOperation> {
    return this.#operationOf(change.what, await this.#sendChange(change, options));
  }

  /** As {@link start}, with a body that is not JSON. */
  async startRaw(request: HttpRequest): Promise<RawOperation> {
    return this.#operationOf(request.what, await this.#send(request));
  }

  #operationOf(what: string, answer: Answer): RawOperation {
    if (answer.kind !== 'async') throw protocolError(what, 'no operation came where LXD starts one');
    return parseMetadata(answer.metadata, rawOperation, what);
  }

  #sendChange({ body, headers, ...change }: Change, options: CallOptions): Promise<Answer> {
    const json = body === undefined ? {} : { body: JSON.stringify(body) };
    return this.#send({ ...change, ...options, ...json, headers: { 'content-type': 'application/json', ...headers } });
  }

  async #send(request: HttpRequest): Promise<Answer> {
    return readAnswer(await this.transport.request(request), request.what);
  }
}
