import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { OperationDetail } from '#libs/temporal/operations.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { ServerSentEvents } from '../http/server-sent-events.js';
import { OperationWatch } from './operation-watch.js';
import { OperationsOfCaller } from './operations.service.js';
import type { UpgradeState } from './upgrades.schemas.js';
import { Upgrades } from './upgrades.service.js';

const POLL_MS = 400;
const UPGRADE_POLL_MS = 1000;

/** Server-sent events of operations: the present state first, then each change, until it has ended or the client is gone. */
@Injectable()
export class EventStreams implements BeforeApplicationShutdown {
  readonly #operations: OperationWatch<OperationDetail>;
  readonly #upgrades: OperationWatch<UpgradeState>;

  constructor(
    @Inject(DEPENDENCIES) deps: ApiDependencies,
    @Inject(ServerSentEvents) private readonly events: ServerSentEvents,
    @Inject(OperationsOfCaller) private readonly operations: OperationsOfCaller,
    @Inject(Upgrades) private readonly upgrades: Upgrades,
  ) {
    this.#operations = new OperationWatch((id) => deps.operations.get(id), POLL_MS);
    this.#upgrades = new OperationWatch((id) => upgrades.state(id), UPGRADE_POLL_MS);
  }

  beforeApplicationShutdown(): void {
    this.#operations.close();
    this.#upgrades.close();
  }

  async stream(context: RequestContext, id: string, reply: FastifyReply): Promise<void> {
    await this.operations.assertVisible(context, id);
    this.#follow(this.#operations, { id, name: 'operation' }, reply);
  }

  async streamUpgrade(context: RequestContext, cluster: string, id: string, reply: FastifyReply): Promise<void> {
    await this.upgrades.assertOf(context, cluster, id);
    this.#follow(this.#upgrades, { id, name: 'upgrade' }, reply);
  }

  #follow<T extends OperationDetail | UpgradeState>(
    watch: OperationWatch<T>,
    { id, name }: { readonly id: string; readonly name: string },
    reply: FastifyReply,
  ): void {
    // An EventSource comes back by itself after the end; 204 tells it to stop.
    if (reply.request.headers['last-event-id'] === 'end') return void reply.code(204).send();
    let count = 0;
    let stop = (): void => undefined;
    const sink = this.events.open(reply, () => stop());
    stop = watch.subscribe(id, {
      onChange: (state) => sink.send({ id: state.status === 'running' ? count++ : 'end', name, data: state }),
      onEnd: () => sink.end(),
    });
  }
}
