import { Readable, type Writable } from 'node:stream';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import { parseMetadata } from './answer.js';
import { type Attached, control, resizeCommand } from './attach.js';
import type { ExecSession, TerminalSize } from './client-parts.js';

const SIGKILL = 9;
/** An aborted command may stop reading: its sockets are cut when it has not ended by then. */
const KILL_GRACE_MS = 2_000;

const result = z.looseObject({ return: z.number().int() });

/** A running command with its streams. */
export class Session implements ExecSession {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exitCode: Promise<number>;
  readonly #sockets: Attached['sockets'];
  /** LXD keeps an operation while anything holds the pipes open, long after its command: it is not waited for when they are cut. */
  readonly #waiting = new AbortController();

  constructor({ operation, sockets, stream }: Attached, options: { interactive: boolean; what: string }) {
    this.#sockets = sockets;
    const { interactive, what } = options;
    const zero = stream('0');
    this.stdin = interactive ? zero : zero.resume();
    this.stdout = interactive ? zero : stream('1');
    this.stderr = interactive ? Readable.from([]) : stream('2');
    this.exitCode = operation.wait({ signal: this.#waiting.signal }).then((metadata) => parseMetadata(metadata, result, what).return);
    // Whoever wants it awaits it; a session that is only killed must not end the process by an unhandled rejection.
    this.exitCode.catch(() => undefined).finally(() => this.#closeControl());
  }

  resize(size: TerminalSize): void {
    control(this.#sockets, resizeCommand(size));
  }

  signal(number: number): void {
    control(this.#sockets, { command: 'signal', signal: number });
  }

  kill(): void {
    this.signal(SIGKILL);
    const timer = setTimeout(() => this.#cut(), KILL_GRACE_MS);
    this.exitCode
      .catch(() => undefined)
      .finally(() => {
        clearTimeout(timer);
        this.#cut();
      });
  }

  killWhenAborted(signal: AbortSignal | undefined): void {
    if (!signal) return;
    const onAbort = (): void => this.kill();
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    this.exitCode.catch(() => undefined).finally(() => signal.removeEventListener('abort', onAbort));
  }

  #closeControl(): void {
    this.#sockets.get('control')?.terminate();
  }

  #cut(): void {
    this.#waiting.abort(new PlatformError('OPERATION_FAILED', 'The command was killed, and has not ended in time.'));
    for (const socket of this.#sockets.values()) socket.terminate();
  }
}
