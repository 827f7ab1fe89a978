import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { PlatformError } from '#libs/errors/platform-error.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { OperationWatch } from './operation-watch.js';
import { OperationsOfCaller } from './operations.service.js';

const POLL_MS = 400;
const HEARTBEAT_MS = 15_000;
/** A client that reads slower than this is dropped. */
const MAX_BUFFERED_BYTES = 1_000_000;

/** Server-sent events of operations: the present state first, then each change, until it has ended or the client is gone. */
@Injectable()
export class EventStreams implements BeforeApplicationShutdown {
  readonly #watch: OperationWatch;

  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
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
    if (this.#watch.size >= this.deps.config.limits.eventStreams)
      throw new PlatformError('UNAVAILABLE', 'Too many event streams are open. Try again shortly.');
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { ...headersOf(reply), 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    this.deps.metrics.eventStreams(1);
    let count = 0;
    const send = (text: string) => {
      if (raw.writableLength > MAX_BUFFERED_BYTES) raw.destroy();
      else raw.write(text);
    };
    const heartbeat = setInterval(() => send(': still there\n\n'), HEARTBEAT_MS).unref();
    const stop = this.#watch.subscribe(id, {
      onChange: (detail) =>
        send(`id: ${detail.status === 'running' ? count++ : 'end'}\nevent: operation\ndata: ${JSON.stringify(detail)}\n\n`),
      onEnd: () => raw.end(),
    });
    raw.once('close', () => {
      clearInterval(heartbeat);
      stop();
      this.deps.metrics.eventStreams(-1);
    });
  }
}

function headersOf(reply: FastifyReply): Record<string, string | number | string[]> {
  return Object.fromEntries(Object.entries(reply.getHeaders()).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}
