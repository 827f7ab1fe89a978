import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { ServerSentEvents } from '../http/server-sent-events.js';
import { OperationWatch } from './operation-watch.js';
import { OperationsOfCaller } from './operations.service.js';

const POLL_MS = 400;

/** Server-sent events of operations: the present state first, then each change, until it has ended or the client is gone. */
@Injectable()
export class EventStreams implements BeforeApplicationShutdown {
  readonly #watch: OperationWatch;

  constructor(
    @Inject(DEPENDENCIES) deps: ApiDependencies,
    @Inject(ServerSentEvents) private readonly events: ServerSentEvents,
    @Inject(OperationsOfCaller) private readonly operations: OperationsOfCaller,
  ) {
    this.#watch = new OperationWatch(deps.operations, POLL_MS);
  }

  beforeApplicationShutdown(): void {
    this.#watch.close();
  }

  async stream(context: RequestContext, id: string, reply: FastifyReply): Promise<void> {
    await this.operations.assertVisible(context, id);
    // An EventSource comes back by itself after the end; 204 tells it to stop.
    if (reply.request.headers['last-event-id'] === 'end') return void reply.code(204).send();
    let count = 0;
    let stop = (): void => undefined;
    const sink = this.events.open(reply, () => stop());
    stop = this.#watch.subscribe(id, {
      onChange: (detail) => sink.send({ id: detail.status === 'running' ? count++ : 'end', name: 'operation', data: detail }),
      onEnd: () => sink.end(),
    });
  }
}
