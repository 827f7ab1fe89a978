import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { collectOutput, GuardedExec, type GuardedSession, type OpenRequest } from './guarded-exec.js';
import { Places } from './places.js';
import { type CommandBody, type CommandResult, MAX_COMMAND_SECONDS, type ShellCommandBody, type ShellResult } from './schemas.js';
import { type Target, Targets } from './targets.service.js';

const KILLED = 128 + 9;

interface Limits {
  readonly timeoutSeconds: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

type Output = Omit<CommandResult, 'stdout' | 'stderr'> & { readonly stdout: Buffer; readonly stderr: Buffer };

/** Commands that run to their end, and are answered with their output. */
@Injectable()
export class Commands {
  readonly #exec: GuardedExec;
  readonly #places: Places;

  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(Targets) private readonly targets: Targets,
  ) {
    const { commandsPerWebspace, commands } = deps.config.streams;
    this.#exec = new GuardedExec(deps.lxd);
    this.#places = new Places({ perWebspace: commandsPerWebspace, total: commands, what: 'commands' });
  }

  /** The original's exec: a text for the shell. */
  async shell(context: RequestContext, { command }: ShellCommandBody, reply: FastifyReply): Promise<ShellResult> {
    const target = await this.targets.ofAccount(context);
    const request = { command: ['sh', '-c', command], environment: {} };
    const limits = { timeoutSeconds: MAX_COMMAND_SECONDS, signal: goneSignal(reply) };
    const { stdout, stderr, exitCode } = await this.#run(context, target, request, limits);
    return { stdout: stdout.toString('utf8'), stderr: stderr.toString('utf8'), exitCode };
  }

  async run(context: RequestContext, name: string, body: CommandBody, reply: FastifyReply): Promise<CommandResult> {
    const target = await this.targets.named(context, name);
    const { command, user, group, environment = {}, directory, stdin, encoding, timeoutSeconds } = body;
    const request = {
      ...{ command, user, group, environment },
      ...(directory === undefined ? {} : { cwd: directory }),
      ...(stdin === undefined ? {} : { input: Buffer.from(stdin, encoding) }),
    };
    const output = await this.#run(context, target, request, { timeoutSeconds, signal: goneSignal(reply) });
    return { ...output, stdout: output.stdout.toString(encoding), stderr: output.stderr.toString(encoding) };
  }

  async #run(
    context: RequestContext,
    target: Target,
    { input, ...request }: OpenRequest & { readonly input?: Buffer },
    limits: Limits,
  ): Promise<Output> {
    const leave = this.#places.take(target.name);
    try {
      const open = (how: OpenRequest) => this.targets.whileRunning(context, target, () => this.deps.lxd.exec.open(target.name, how));
      const use = (session: GuardedSession) => this.#toItsEnd(session, input, limits);
      return await this.#exec.run(target.name, request, { open, use });
    } finally {
      leave();
    }
  }

  async #toItsEnd(session: GuardedSession, input: Buffer | undefined, { timeoutSeconds, signal }: Limits): Promise<Output> {
    let timedOut = false;
    const kill = () => void session.end('kill');
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, timeoutSeconds * 1000);
    signal.addEventListener('abort', kill, { once: true });
    if (signal.aborted) kill();
    try {
      session.stdin.on('error', () => undefined).end(input);
      const bytes = this.deps.config.streams.outputBytes;
      const room = { bytes, of: bytes };
      const [stdout, stderr] = await Promise.all([collectOutput(session.stdout, room), collectOutput(session.stderr, room)]);
      const exitCode = await session.exitCode().catch((error: unknown) => {
        if (!timedOut) throw error;
        return KILLED;
      });
      return { exitCode, stdout, stderr, timedOut };
    } catch (error) {
      await session.end('kill');
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', kill);
    }
  }
}

function goneSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort();
  });
  return gone.signal;
}
