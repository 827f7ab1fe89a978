import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { OperationDetail } from '#libs/temporal/operations.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { ServerSentEvents } from '../http/server-sent-events.js';
import type { RunState } from './cluster-runs.schemas.js';
import { OperationWatch } from './operation-watch.js';
import { OperationsOfCaller } from './operations.service.js';
import { Scalings } from './scalings.service.js';
import { Upgrades } from './upgrades.service.js';

const POLL_MS = 400;
const RUN_POLL_MS = 1000;

/** Server-sent events of operations: the present state first, then each change, until it has ended or the client is gone. */
@Injectable()
export class EventStreams implements BeforeApplicationShutdown {
  readonly #operations: OperationWatch<OperationDetail>;
  readonly #runs: Readonly<Record<'upgrade' | 'scaling', OperationWatch<RunState>>>;

  constructor(
    @Inject(DEPENDENCIES) deps: ApiDependencies,
    @Inject(ServerSentEvents) private readonly events: ServerSentEvents,
    @Inject(OperationsOfCaller) private readonly operations: OperationsOfCaller,
    @Inject(Upgrades) upgrades: Upgrades,
    @Inject(Scalings) scalings: Scalings,
  ) {
    this.#operations = new OperationWatch((id) => deps.operations.get(id), POLL_MS);
    const watch = (runs: { state(id: string): Promise<RunState> }) => new OperationWatch((id) => runs.state(id), RUN_POLL_MS);
    this.#runs = { upgrade: watch(upgrades), scaling: watch(scalings) };
  }

  beforeApplicationShutdown(): void {
    this.#operations.close();
    for (const watch of Object.values(this.#runs)) watch.close();
  }

  async stream(context: RequestContext, id: string, reply: FastifyReply): Promise<void> {
    await this.operations.assertVisible(context, id);
    this.#follow(this.#operations, { id, name: 'operation' }, reply);
  }

  /** Of an upgrade or a scaling that the caller may see. */
  streamRun(name: 'upgrade' | 'scaling', id: string, reply: FastifyReply): void {
    this.#follow(this.#runs[name], { id, name }, reply);
  }

  #follow<T extends OperationDetail | RunState>(
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
