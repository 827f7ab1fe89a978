import { StringDecoder } from 'node:string_decoder';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { isPlatformError } from '#libs/errors/platform-error.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { ServerSentEvents } from '../http/server-sent-events.js';
import { NextFlight } from '../reads/next-flight.js';
import { additionTo } from './log-tail.js';
import { type Target, Targets } from './targets.service.js';

const POLL_MS = 1_000;

/** The log of the console: what is written to `/dev/console`, in a ring buffer of LXD's. */
@Injectable()
export class ConsoleLogs implements BeforeApplicationShutdown {
  readonly #reads: NextFlight<Buffer>;
  readonly #stopping = new AbortController();

  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(Targets) private readonly targets: Targets,
    @Inject(ServerSentEvents) private readonly events: ServerSentEvents,
  ) {
    this.#reads = new NextFlight((how) => deps.metrics.lxdRead('console log', how));
  }

  beforeApplicationShutdown(): void {
    this.#stopping.abort();
  }

  async sendOfAccount(context: RequestContext, reply: FastifyReply): Promise<void> {
    await this.#send(await this.targets.ofAccount(context), reply);
  }

  async sendNamed(context: RequestContext, name: string, reply: FastifyReply): Promise<void> {
    await this.#send(await this.targets.named(context, name), reply);
  }

  async clearOfAccount(context: RequestContext): Promise<void> {
    await this.#clear(await this.targets.ofAccount(context));
  }

  async clearNamed(context: RequestContext, name: string): Promise<void> {
    await this.#clear(await this.targets.named(context, name));
  }

  /** Tells what there is and then what is added, until the client is gone, the webspace is, or the API stops. */
  async follow(context: RequestContext, name: string, reply: FastifyReply): Promise<void> {
    await this.targets.named(context, name);
    this.events.assertRoom();
    let last = await this.#read(name);
    const gone = new AbortController();
    const sink = this.events.open(reply, () => gone.abort());
    this.#stopping.signal.addEventListener('abort', () => sink.end(), { signal: gone.signal });
    const decoder = new StringDecoder('utf8');
    sink.send({ name: 'log', data: { text: decoder.write(last) } });
    while (await pause(gone.signal)) {
      const now = await this.#read(name).catch((error: unknown) => (isPlatformError(error, 'UNAVAILABLE') ? last : undefined));
      // Gone with its webspace, or unreadable: there is nothing more to tell.
      if (now === undefined) return sink.end();
      const { anew, data } = additionTo(last, now);
      last = now;
      if (anew) sink.send({ name: 'cleared', data: {} });
      if (data.length > 0) sink.send({ name: 'log', data: { text: decoder.write(data) } });
    }
  }

  async #send({ name }: Target, reply: FastifyReply): Promise<void> {
    const log = await this.#read(name);
    await reply.type('text/plain; charset=utf-8').send(log);
  }

  async #clear({ name }: Target): Promise<void> {
    await this.deps.lxd.console.clearLog(name, this.#options).catch((error: unknown) => {
      // The webspace was there just now: it has no log yet.
      if (!isPlatformError(error, 'NOT_FOUND')) throw error;
    });
  }

  /** Empty when there is none, as before the first boot. @throws PlatformError NOT_FOUND when there is no webspace. */
  #read(name: string): Promise<Buffer> {
    return this.#reads.read(
      name,
      async () => (await this.deps.lxd.console.readLog(name, this.#options).catch(nothingThere)) ?? Buffer.alloc(0),
    );
  }

  get #options() {
    return { timeoutMs: this.deps.config.limits.lxdTimeoutMs };
  }
}

/** No file yet is no error; no instance is. */
function nothingThere(error: unknown): undefined {
  if (isPlatformError(error, 'NOT_FOUND') && error.details['reason'] === 'no-log') return undefined;
  throw error;
}

/** False when it is over before its time. */
function pause(signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const stop = () => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve(true);
    }, POLL_MS);
    signal.addEventListener('abort', stop, { once: true });
  });
}
