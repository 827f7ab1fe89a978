import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { type WebSocket, WebSocketServer } from 'ws';
import { PlatformError } from '#libs/errors/platform-error.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { problemOf } from '../http/problem.js';
import { ClientSocket, StreamEnd } from './client-socket.js';
import { Places } from './places.js';
import type { Target } from './targets.service.js';
import { type Upgrade, upgradeOf } from './upgrades.js';

const CHECK_EVERY_MS = 500;

/** How a stream ends well. */
export interface GoodEnd {
  readonly reason: string;
}

interface Serving {
  readonly kind: 'console' | 'exec';
  readonly target: Target;
  serve(client: ClientSocket): Promise<GoodEnd>;
}

/** Turns requests into WebSockets, keeps count of them, looks after their clients, and ends them all when the API stops. */
@Injectable()
export class StreamSockets implements BeforeApplicationShutdown {
  readonly #server: WebSocketServer;
  readonly #places: Places;
  readonly #open = new Map<ClientSocket, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(@Inject(DEPENDENCIES) private readonly deps: ApiDependencies) {
    const { messageBytes, perWebspace, total } = deps.config.streams;
    this.#server = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: messageBytes, perMessageDeflate: false });
    this.#places = new Places({ perWebspace, total, what: 'streams' });
  }

  /** Ends every stream, and waits until nothing of theirs runs any more. */
  async beforeApplicationShutdown(): Promise<void> {
    this.#stopping = true;
    const streams = [...this.#open.values()];
    for (const client of this.#open.keys()) client.end(new StreamEnd(1001, 'the API stops; connect again'));
    await Promise.all(streams);
    clearInterval(this.#timer);
  }

  /** What a request for a stream needs before anything is looked up. @throws PlatformError INVALID_INPUT, FORBIDDEN. */
  assertAsked({ request }: FastifyReply): void {
    const { headers } = request;
    if (!upgradeOf(request.raw)) {
      throw new PlatformError('INVALID_INPUT', 'This endpoint speaks WebSocket only: connect with a WebSocket client.', {
        details: { legacyMessage: 'this endpoint supports websocket communication only' },
      });
    }
    if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '') || headers['sec-websocket-version'] !== '13')
      throw new PlatformError('INVALID_INPUT', 'The WebSocket handshake is not valid: version 13 and a key of 16 bytes are needed.');
    this.#assertOrigin(headers.origin, headers.host);
  }

  /** Takes the connection over; from here on errors are told in the close frame. @throws PlatformError UNAVAILABLE. */
  async accept(context: RequestContext, reply: FastifyReply, serving: Serving): Promise<void> {
    if (this.#stopping) throw new PlatformError('UNAVAILABLE', 'The API stops. Try again shortly.');
    const leave = this.#places.take(serving.target.name);
    reply.hijack();
    const client = new ClientSocket(await this.#upgrade(reply));
    this.#timer ??= setInterval(() => this.#check(), CHECK_EVERY_MS).unref();
    const { kind, target } = serving;
    const { metrics, logger } = this.deps;
    const begun = Date.now();
    const about = { requestId: reply.request.id, stream: kind, webspace: target.name, caller: context.caller.subject };
    logger.info(about, 'a stream was opened');
    metrics.streams(kind, 1);
    let end: StreamEnd | undefined;
    const serve = async () => {
      end = await this.#serve(client, serving, reply.request.id);
      if (end.code !== undefined) await client.close(end.code, end.message);
    };
    const ended = serve().finally(() => {
      this.#open.delete(client);
      leave();
      metrics.streams(kind, -1);
      metrics.streamBytes(client.moved);
      const how = { code: end?.code, reason: end?.message };
      logger.info({ ...about, ms: Date.now() - begun, bytes: client.moved, end: how }, 'a stream was closed');
    });
    this.#open.set(client, ended);
    await ended;
  }

  #serve(client: ClientSocket, { serve }: Serving, requestId: string): Promise<StreamEnd> {
    return serve(client).then(
      ({ reason }) => new StreamEnd(1000, reason),
      (error: unknown) => this.#badEnd(client.signal.aborted ? client.signal.reason : error, requestId),
    );
  }

  #badEnd(error: unknown, requestId: string): StreamEnd {
    if (error instanceof StreamEnd) return error;
    const { body, unexpected } = problemOf(error);
    if (unexpected) this.deps.logger.error({ requestId, err: error }, 'a stream failed in a way nobody foresaw');
    return new StreamEnd(1011, body.detail);
  }

  #upgrade({ request: { raw } }: FastifyReply): Promise<WebSocket> {
    const { socket, head, response } = upgradeOf(raw) as Upgrade;
    response.detachSocket(socket);
    socket.setNoDelay(true);
    return new Promise((resolve) => this.#server.handleUpgrade(raw, socket, head, resolve));
  }

  #assertOrigin(origin: string | undefined, host: string | undefined): void {
    const { publicUrl, cors } = this.deps.config;
    // Browsers always send one; whoever sends none is no browser, and cannot be made to connect by a page.
    if (origin === undefined || cors.allowedOrigins.includes('*') || cors.allowedOrigins.includes(origin)) return;
    if (origin === new URL(publicUrl).origin || (URL.canParse(origin) && new URL(origin).host === host)) return;
    throw new PlatformError('FORBIDDEN', 'Pages of this origin may not open streams; an operator allows them by cors.allowedOrigins.', {
      details: { field: 'Origin' },
    });
  }

  #check(): void {
    for (const client of this.#open.keys()) client.check(this.deps.config.streams);
  }
}
