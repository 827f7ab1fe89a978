import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import type { ClientSocket } from './client-socket.js';
import { GuardedExec, type GuardedSession, type OpenRequest } from './guarded-exec.js';
import { type ExecStart, execControl, execStart, parseMessage } from './schemas.js';
import { type GoodEnd, StreamSockets } from './stream-sockets.service.js';
import { Targets } from './targets.service.js';

/**
 * A command in a terminal as a stream: the client's first text message is the command, further ones resize the terminal or signal the command;
 * binary is what the terminal shows, and input. It ends with the exit code; a client that goes takes the command with it.
 */
@Injectable()
export class ExecStreams {
  readonly #exec: GuardedExec;

  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(StreamSockets) private readonly sockets: StreamSockets,
    @Inject(Targets) private readonly targets: Targets,
  ) {
    this.#exec = new GuardedExec(deps.lxd);
  }

  async open(context: RequestContext, reply: FastifyReply): Promise<void> {
    this.sockets.assertAsked(reply);
    const target = await this.targets.ofAccount(context);
    const serve = async (client: ClientSocket): Promise<GoodEnd> => {
      const request = requestOf(parseMessage(execStart, await client.first()));
      const open = (how: OpenRequest) => this.targets.whileRunning(context, target, () => this.deps.lxd.exec.open(target.name, how));
      const use = (session: GuardedSession) => this.#mirror(client, session);
      return { reason: String(await this.#exec.run(target.name, request, { open, use })) };
    };
    await this.sockets.accept(context, reply, { kind: 'exec', target, serve });
  }

  async #mirror(client: ClientSocket, session: GuardedSession): Promise<number> {
    const hangUp = () => void session.end('hang-up');
    client.signal.addEventListener('abort', hangUp, { once: true });
    if (client.signal.aborted) hangUp();
    try {
      client.receive({ data: session.stdin, onText: (text) => obey(session, text) });
      for await (const chunk of session.stdout) await client.send(chunk);
      client.signal.throwIfAborted();
      return await session.exitCode();
    } finally {
      client.signal.removeEventListener('abort', hangUp);
      if (client.signal.aborted) await session.end('hang-up');
    }
  }
}

async function obey(session: GuardedSession, text: string): Promise<void> {
  const { resize, signal } = parseMessage(execControl, text);
  if (resize && resize.width > 0 && resize.height > 0) session.resize({ width: resize.width, height: resize.height });
  if (signal) await session.signal(signal);
}

function requestOf({ command, user, group, environment, width, height, workingDirectory }: ExecStart) {
  return {
    command,
    user,
    group,
    environment: environment ?? {},
    terminal: { width, height },
    ...(workingDirectory === '' ? {} : { cwd: workingDirectory }),
  };
}
