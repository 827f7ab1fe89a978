import { randomUUID } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Turns } from '#libs/concurrency/turns.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { ExecRequest, ExecSession, TerminalSize } from '#libs/lxd/client-parts.js';
import { Marks, withoutMarks } from './marks.js';
import { GUARD, HANG_UP, KILL, SIGNAL } from './shell-scripts.js';

/** What LXD has to do by then; afterwards the connection to the command is cut, and LXD kills it. */
const END_WITHIN_MS = 2_500;
const SIGNAL_WITHIN_MS = 5_000;

/** LXD 5.0 mixes up file descriptors when very many terminals end at the same moment, and calls of others then hang. */
const ENDINGS_AT_ONCE = 2;
const endings = new Turns(ENDINGS_AT_ONCE);

/** The container has no shell to guard a command. */
class NoShell extends Error {}

/** A running command of which no output is lost, and of which nothing stays behind. */
export interface GuardedSession {
  readonly stdin: Writable;
  /** To be read to its end. In a terminal all that it shows. */
  readonly stdout: AsyncIterable<Buffer>;
  /** Empty in a terminal. */
  readonly stderr: AsyncIterable<Buffer>;
  resize(size: TerminalSize): void;
  /** Sends a signal by number to the command. */
  signal(number: number): Promise<void>;
  /** `hang-up`: as a terminal that is closed. `kill`: SIGKILL, with all that it has started. Never throws. */
  end(how: 'hang-up' | 'kill'): Promise<void>;
  /** To be asked for when the output has been read. */
  exitCode(): Promise<number>;
}

export type OpenRequest = ExecRequest & { readonly terminal?: TerminalSize };

interface Steps<T> {
  open(request: OpenRequest): Promise<ExecSession>;
  use(session: GuardedSession): Promise<T>;
}

/**
 * Runs commands in containers. A shell of the container stands guard: it marks the end of the output, by which a command that leaves something
 * running in the background is known to be over, and it is the root from which all that the command has started is found. A container without a
 * shell gets its command without the guard: LXD may lose the end of a terminal's output there.
 */
export class GuardedExec {
  constructor(private readonly lxd: Pick<LxdClient, 'exec'>) {}

  /** Runs the command and lets `use` read it; a second time, without the guard, when there is no shell. `open` begins a command. */
  async run<T>(name: string, request: OpenRequest, { open, use }: Steps<T>): Promise<T> {
    const id = randomUUID();
    const script = GUARD[request.terminal ? 'terminal' : 'pipes'];
    const guarded = { ...request, command: ['sh', '-c', script, 'sh', id, ...request.command] };
    try {
      return await use(new Session(this.lxd, { name, session: await open(guarded), id }));
    } catch (error) {
      if (!(error instanceof NoShell)) throw error;
      return await use(new Session(this.lxd, { name, session: await open(request) }));
    }
  }
}

interface Guarded {
  readonly name: string;
  readonly session: ExecSession;
  /** Absent without the guard. */
  readonly id?: string;
}

class Session implements GuardedSession {
  readonly stdout: AsyncIterable<Buffer>;
  readonly stderr: AsyncIterable<Buffer>;
  readonly #marks: Marks;
  #ended: Promise<void> | undefined;

  constructor(
    private readonly lxd: Pick<LxdClient, 'exec'>,
    private readonly guarded: Guarded,
  ) {
    const { session, id = '' } = guarded;
    this.#marks = new Marks(id);
    this.stdout = id ? withoutMarks(session.stdout, this.#marks) : session.stdout;
    this.stderr = id ? withoutMarks(session.stderr, new Marks(id)) : session.stderr;
  }

  get stdin(): Writable {
    return this.guarded.session.stdin;
  }

  resize(size: TerminalSize): void {
    this.guarded.session.resize(size);
  }

  async signal(number: number): Promise<void> {
    const { id, session } = this.guarded;
    if (id === undefined) session.signal(number);
    else await this.#script(SIGNAL, [String(number)], SIGNAL_WITHIN_MS);
  }

  end(how: 'hang-up' | 'kill'): Promise<void> {
    this.#ended ??= endings.run(() => this.#end(how));
    return this.#ended;
  }

  async exitCode(): Promise<number> {
    const { session, id } = this.guarded;
    if (this.#marks.code !== undefined) {
      // Nothing of it is needed any more: a terminal's shell waits to be killed, and pipes may be held open by what runs on.
      session.kill();
      return this.#marks.code;
    }
    try {
      return await session.exitCode;
    } catch (error) {
      const missing = isPlatformError(error) && error.details['reason'] === 'command-not-found';
      throw missing && id !== undefined ? new NoShell() : error;
    }
  }

  async #end(how: 'hang-up' | 'kill'): Promise<void> {
    const { session } = this.guarded;
    await this.#script(how === 'kill' ? KILL : HANG_UP, [], END_WITHIN_MS).catch(() => undefined);
    session.kill();
    // LXD may never tell: others wait for their turn to end.
    await Promise.race([session.exitCode.catch(() => undefined), sleep(END_WITHIN_MS, undefined, { ref: false })]);
  }

  /** Does nothing where there is no guard, or none yet. */
  async #script(script: string, args: readonly string[], timeoutMs: number): Promise<void> {
    const { name, id } = this.guarded;
    const { pid } = this.#marks;
    if (id === undefined || pid === undefined) return;
    await this.lxd.exec.run(name, { command: ['sh', '-c', script, 'sh', id, String(pid), ...args] }, { timeoutMs });
  }
}

/** All of an output, as far as it is allowed. @throws PlatformError INVALID_INPUT beyond that. */
export async function collectOutput(
  output: AsyncIterable<Buffer> | Readable,
  room: { bytes: number; readonly of: number },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of output as AsyncIterable<Buffer>) {
    room.bytes -= chunk.length;
    if (room.bytes < 0) throw tooMuch(room.of);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooMuch(bytes: number): PlatformError {
  return new PlatformError(
    'INVALID_INPUT',
    `The command wrote more than ${bytes} bytes and was killed. Write to a file, or use the exec WebSocket, which has no such limit.`,
    { details: { field: 'command' } },
  );
}
