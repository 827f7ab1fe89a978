import { Readable, type Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import { parseMetadata } from './answer.js';
import { type Attached, control, resizeCommand } from './attach.js';
import type { ExecSession, TerminalSize } from './client-parts.js';
import { protocolError } from './error-reasons.js';
import { frameStream } from './frame-streams.js';

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

  constructor({ operation, sockets }: Attached, options: { interactive: boolean; what: string }) {
    this.#sockets = sockets;
    const { interactive, what } = options;
    const zero = socketOf(sockets, '0', what);
    if (interactive) {
      // The operation ends only when the client has closed this socket after the EOF (LXD 5.0.2, tried).
      const terminal = frameStream(zero, { sendEof: false, onEof: () => zero.terminate() });
      this.stdin = terminal;
      this.stdout = terminal;
      this.stderr = Readable.from([]);
    } else {
      this.stdin = frameStream(zero, { sendEof: true }).resume();
      this.stdout = frameStream(socketOf(sockets, '1', what), { sendEof: false });
      this.stderr = frameStream(socketOf(sockets, '2', what), { sendEof: false });
    }
    this.exitCode = operation.wait().then((metadata) => parseMetadata(metadata, result, what).return);
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
    for (const socket of this.#sockets.values()) socket.terminate();
  }
}

function socketOf(sockets: Attached['sockets'], name: string, what: string): WebSocket {
  const socket = sockets.get(name);
  if (!socket) throw protocolError(what, `field "fds.${name}" is missing`);
  return socket;
}
