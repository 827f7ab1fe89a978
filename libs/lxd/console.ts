import { isPlatformError } from '#libs/errors/platform-error.js';
import { readBytes } from './answer.js';
import { type AttachParts, attach, control, hangUp, resizeCommand } from './attach.js';
import type { CallOptions } from './client.js';
import type { ConsoleSession, LxdConsole, TerminalSize } from './client-parts.js';
import { apiPath } from './paths.js';

export class Console implements LxdConsole {
  readonly #parts: AttachParts;

  constructor(parts: AttachParts) {
    this.#parts = parts;
  }

  async attach(instance: string, size: TerminalSize, options: CallOptions = {}): Promise<ConsoleSession> {
    const what = `attach to the console of instance ${instance}`;
    const body = { ...size, type: 'console' };
    const change = { method: 'POST', path: consolePath(instance), body, what, kind: 'console' } as const;
    const { operation, sockets, stream } = await attach(this.#parts, change, options);
    const data = stream('0').once('end', () => close());
    const close = (): void => {
      const terminal = sockets.get('0');
      const release = () => sockets.get('control')?.terminate();
      // LXD says goodbye on the terminal as soon as control is closed, also while it is still writing there: never control first.
      if (!terminal || terminal.readyState === terminal.CLOSED) return void release();
      terminal.once('close', release);
      hangUp(terminal);
    };
    options.signal?.addEventListener('abort', close, { once: true });
    // Whichever side ends it, LXD calls that a failure: "file already closed" (LXD 5.0.2, tried).
    const ended = operation.wait().then(
      () => undefined,
      (error: unknown) => {
        if (!isPlatformError(error, 'OPERATION_FAILED')) throw error;
      },
    );
    ended
      .catch(() => undefined)
      .finally(() => {
        options.signal?.removeEventListener('abort', close);
        close();
      });
    return {
      stream: data,
      resize: (to) => control(sockets, resizeCommand(to)),
      close,
      ended,
    };
  }

  async readLog(instance: string, options: CallOptions = {}): Promise<Buffer> {
    const what = `read the console log of instance ${instance}`;
    const request = { method: 'GET' as const, path: consolePath(instance), what, ...options };
    return readBytes(await this.#parts.connection.transport.request(request), what);
  }

  async clearLog(instance: string, options: CallOptions = {}): Promise<void> {
    const what = `clear the console log of instance ${instance}`;
    await this.#parts.connection.change({ method: 'DELETE', path: consolePath(instance), what }, options);
  }
}

function consolePath(instance: string): string {
  return apiPath(['instances', instance, 'console']);
}
