import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';

const answer = z.union([
  z.looseObject({ return: z.unknown().refine((value) => value !== undefined) }),
  z.looseObject({ error: z.looseObject({ desc: z.string() }) }),
]);
export type Answer = { readonly return: unknown } | { readonly refused: string };

/** An answer of QEMU's monitor or of its guest agent; undefined for what is none: an event, a greeting, a piece that an earlier client left. */
export function parseAnswer(line: string): Answer | undefined {
  const parsed = answer.safeParse(jsonOf(line));
  if (!parsed.success) return undefined;
  return 'error' in parsed.data ? { refused: (parsed.data.error as { desc: string }).desc } : { return: parsed.data.return };
}

/** A socket of QEMU with a JSON object in each line: one question at a time, and its answer. */
export class LineSocket {
  readonly #socket: Socket;
  readonly #what: string;
  readonly #lines: string[] = [];
  #closed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket, what: string) {
    this.#socket = socket;
    this.#what = what;
    createInterface({ input: socket }).on('line', (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** Closed when the signal is aborted. @throws PlatformError UNAVAILABLE when there is none. */
  static open(path: string, what: string, signal: AbortSignal): Promise<LineSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      const end = () => socket.destroy();
      signal.addEventListener('abort', end, { once: true });
      socket.once('close', () => {
        signal.removeEventListener('abort', end);
        // Of one that was aborted on its way nothing else is heard.
        reject(new PlatformError('UNAVAILABLE', `${what} cannot be reached in time.`));
      });
      socket.on('error', (cause) => reject(new PlatformError('UNAVAILABLE', `${what} cannot be reached: ${cause.message}.`, { cause })));
      socket.once('connect', () => resolve(new LineSocket(socket, what)));
      if (signal.aborted) end();
    });
  }

  /** The first answer that `mine` takes for its own. @throws PlatformError UNAVAILABLE when the socket ends, OPERATION_FAILED when it is refused. */
  async ask(execute: string, args: object = {}, mine: (value: unknown) => boolean = () => true): Promise<unknown> {
    this.#socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    for (;;) {
      const line = await this.#next();
      if (line === undefined) throw new PlatformError('UNAVAILABLE', `${this.#what} has not answered ${execute}.`);
      const got = parseAnswer(line);
      if (got && 'refused' in got) throw new PlatformError('OPERATION_FAILED', `${this.#what} refuses ${execute}: ${got.refused}.`);
      if (got && mine(got.return)) return got.return;
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Undefined when there will be none any more. */
  async #next(): Promise<string | undefined> {
    while (this.#lines.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#lines.shift();
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // It is no answer then.
    return undefined;
  }
}
