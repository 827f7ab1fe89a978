import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import type { WebSocket } from 'ws';
import { PlatformError } from '#libs/errors/platform-error.js';
import { timeLimit } from '../net/time-limit.js';
import { errorOfAnswer, errorOfTransport } from './errors.js';
import { CHANNEL, type ExecResult, type ExecTarget, MAX_OUTPUT_BYTES, openExec } from './exec.js';
import type { CallOptions } from './options.js';

interface Running {
  readonly mark: Buffer;
  readonly resolve: (result: ExecResult) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A shell (`sh`) that stays open in a container and runs one command after the other: to get into a container costs the node far more than most
 * commands do. Each command is run anew; nothing is kept of its output. It ends with its container or its connection.
 */
export class PodShell {
  readonly #socket: WebSocket;
  readonly #pod: string;
  #running: Running | undefined;
  #stdout: Buffer = Buffer.alloc(0);
  #stderr = '';
  #broken: Error | undefined;

  private constructor(socket: WebSocket, pod: string) {
    this.#socket = socket;
    this.#pod = pod;
    socket.on('message', (data: Buffer) => this.#heard(data));
    socket.on('error', (error) => this.#break(error));
    socket.on('close', () => this.#break(new Error('the shell has ended')));
  }

  /** @throws NOT_FOUND for a pod that is not there; UNAVAILABLE when its container does not run or its node does not answer. */
  static async open(
    target: ExecTarget,
    { container, timeoutMs }: { readonly container: string; readonly timeoutMs: number },
    { signal }: CallOptions = {},
  ): Promise<PodShell> {
    signal?.throwIfAborted();
    const about = `a shell in pod ${target.pod}`;
    const timeout = timeLimit(timeoutMs);
    const ends = signal ? AbortSignal.any([signal, timeout]) : timeout;
    const socket = await openExec(target, { container, command: ['sh'], timeoutMs, input: 'taken' });
    const refused = new Promise<never>((_, reject) => {
      socket.once('unexpected-response', (_request, answer: IncomingMessage) => {
        text(answer).then((said) => reject(errorOfAnswer(answer.statusCode ?? 500, said, { about, retryAfter: undefined })), reject);
      });
    });
    // Listened to from the beginning: what is not awaited any more shall not be unhandled.
    refused.catch(() => undefined);
    const shell = new PodShell(socket, target.pod);
    try {
      await Promise.race([once(socket, 'open', { signal: ends }), refused]);
      return shell;
    } catch (cause) {
      socket.terminate();
      if (cause instanceof PlatformError) throw cause;
      throw errorOfTransport(cause, { about, caller: signal, timeout });
    }
  }

  /** `busy` while a command runs, `ended` for good. */
  get state(): 'free' | 'busy' | 'ended' {
    if (this.#broken) return 'ended';
    return this.#running ? 'busy' : 'free';
  }

  /**
   * Only when it is free. An exit code other than 0 is no error. @throws UNAVAILABLE when the time is over, which ends the shell, too: its output could
   * not be told from the next one's; STALE when the shell had ended before the command.
   */
  async run(command: readonly string[], { timeoutMs, signal }: CallOptions & { readonly timeoutMs: number }): Promise<ExecResult> {
    signal?.throwIfAborted();
    const about = `${command[0]} in pod ${this.#pod}`;
    if (this.state !== 'free') throw new PlatformError('STALE', `Kubernetes, ${about}: the shell is ${this.state}.`);
    const timeout = timeLimit(timeoutMs);
    const ends = signal ? AbortSignal.any([signal, timeout]) : timeout;
    const end = () => this.close();
    ends.addEventListener('abort', end, { once: true });
    try {
      return await this.#ran(command);
    } catch (cause) {
      if (ends.aborted) throw errorOfTransport(cause, { about, caller: signal, timeout });
      throw new PlatformError('STALE', `Kubernetes, ${about}: ${(cause as Error).message}.`, { cause });
    } finally {
      ends.removeEventListener('abort', end);
    }
  }

  close(): void {
    this.#break(new Error('the shell was closed'));
    this.#socket.terminate();
  }

  #ran(command: readonly string[]): Promise<ExecResult> {
    const mark = randomBytes(12).toString('hex');
    this.#stdout = Buffer.alloc(0);
    this.#stderr = '';
    return new Promise((resolve, reject) => {
      this.#running = { mark: Buffer.from(`\n${mark} `), resolve, reject };
      // Of its own standard input, or it would read the next commands.
      const line = `${command.map(quoted).join(' ')} </dev/null; printf '\\n%s %d\\n' ${mark} $?\n`;
      this.#socket.send(Buffer.concat([Buffer.from([CHANNEL.stdin]), Buffer.from(line)]));
    });
  }

  #heard(data: Buffer): void {
    const content = data.subarray(1);
    if (data[0] === CHANNEL.stderr) this.#stderr += content.toString('utf8');
    if (data[0] === CHANNEL.status) this.#break(new Error(content.toString('utf8').slice(0, 500)));
    if (data[0] !== CHANNEL.stdout || !this.#running) return;
    this.#stdout = Buffer.concat([this.#stdout, content]);
    if (this.#stdout.length > MAX_OUTPUT_BYTES) {
      this.close();
      return;
    }
    const { mark, resolve } = this.#running;
    const at = this.#stdout.lastIndexOf(mark);
    const end = at < 0 ? -1 : this.#stdout.indexOf('\n', at + mark.length);
    if (end < 0) return;
    const exitCode = Number(this.#stdout.subarray(at + mark.length, end).toString('utf8'));
    this.#running = undefined;
    resolve({ exitCode, stdout: this.#stdout.subarray(0, at), stderr: this.#stderr });
  }

  #break(error: Error): void {
    this.#broken ??= error;
    const running = this.#running;
    this.#running = undefined;
    running?.reject(error);
  }
}

/** One word for a shell, whatever is in it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
