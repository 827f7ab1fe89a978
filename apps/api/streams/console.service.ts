import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { TerminalSize } from '#libs/lxd/client-parts.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import type { ClientSocket } from './client-socket.js';
import { ConsoleSize } from './console-size.js';
import { parseMessage, terminalSize } from './schemas.js';
import { type GoodEnd, StreamSockets } from './stream-sockets.service.js';
import { type Target, Targets } from './targets.service.js';

/** What LXD says on a console that somebody else holds (LXD 5.0.2, tried). */
const HELD = /^Error: .*forkconsole/;

/** The console of a webspace as a stream: the client's first text message is its size, further ones are changes of it; binary is what it shows. */
@Injectable()
export class ConsoleStreams {
  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(StreamSockets) private readonly sockets: StreamSockets,
    @Inject(Targets) private readonly targets: Targets,
  ) {}

  async open(context: RequestContext, reply: FastifyReply): Promise<void> {
    this.sockets.assertAsked(reply);
    const target = await this.targets.ofAccount(context);
    await this.sockets.accept(context, reply, { kind: 'console', target, serve: (client) => this.#serve(context, target, client) });
  }

  async #serve(context: RequestContext, target: Target, client: ClientSocket): Promise<GoodEnd> {
    const size = parseMessage(terminalSize, await client.first());
    const attach = () => this.deps.lxd.console.attach(target.name, { width: size.width, height: size.height }, { signal: client.signal });
    const session = await this.targets.whileRunning(context, target, attach);
    const inside = new ConsoleSize(this.deps.lxd.exec, target.name);
    inside.set(size);
    const resize = (to: TerminalSize): void => {
      session.resize(to);
      inside.set(to);
    };
    try {
      client.receive({ data: session.stream, onText: (text) => resize(parseMessage(terminalSize, text)) });
      let first = true;
      for await (const chunk of session.stream as AsyncIterable<Buffer>) {
        if (first && HELD.test(chunk.toString('latin1')))
          throw new PlatformError('CONFLICT', `The console of ${target.name} is in use by another connection: one at a time.`);
        first = false;
        await client.send(chunk);
      }
      client.signal.throwIfAborted();
    } finally {
      session.close();
    }
    return { reason: 'Stream shutting down' };
  }
}
