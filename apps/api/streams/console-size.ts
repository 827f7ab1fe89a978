import type { LxdClient } from '#libs/lxd/client.js';
import type { TerminalSize } from '#libs/lxd/client-parts.js';
import { CONSOLE_SIZE } from './shell-scripts.js';

const WITHIN_MS = 5_000;

/** Sets the size of a container's console from inside, one size after the other; of those that come meanwhile only the last counts. */
export class ConsoleSize {
  readonly #exec: LxdClient['exec'];
  readonly #name: string;
  #next: TerminalSize | undefined;
  #running = false;

  constructor(exec: LxdClient['exec'], name: string) {
    this.#exec = exec;
    this.#name = name;
  }

  set(size: TerminalSize): void {
    this.#next = size;
    if (!this.#running) void this.#work();
  }

  async #work(): Promise<void> {
    this.#running = true;
    while (this.#next) {
      const { width, height } = this.#next;
      this.#next = undefined;
      if (width === 0 || height === 0) continue;
      const command = ['sh', '-c', CONSOLE_SIZE, 'sh', String(height), String(width)];
      // A container without stty has a console without a size, and is as good otherwise.
      await this.#exec.run(this.#name, { command }, { timeoutMs: WITHIN_MS }).catch(() => undefined);
    }
    this.#running = false;
  }
}
