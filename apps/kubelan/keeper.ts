import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { messageOf } from '#libs/errors/platform-error.js';

/** Changes that come together are one change. */
const GATHER_MS = 20;
const RETRY_MS = 250;
const RETRY_MAX_MS = 10_000;

export interface KeeperParts {
  readonly sync: () => Promise<void>;
  readonly resyncMs: number;
  readonly log: Logger;
  readonly onSync: (result: 'ok' | 'failed') => void;
}

/** Syncs at the beginning, after every change that it is told of, and at the latest after the resync's pause; a failed one is tried again sooner. */
export class Keeper {
  readonly #parts: KeeperParts;
  readonly #stop = new AbortController();
  #wake: () => void = () => undefined;
  #dirty = true;
  #done: Promise<void> = Promise.resolve();

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#done = this.#run();
  }

  changed(): void {
    this.#dirty = true;
    this.#wake();
  }

  /** Returns when no sync is under way any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { resyncMs, log, onSync } = this.#parts;
    const { signal } = this.#stop;
    let failures = 0;
    while (!signal.aborted) {
      this.#dirty = false;
      try {
        await this.#parts.sync();
        failures = 0;
        onSync('ok');
      } catch (error) {
        // The second time in a row: what changed while it was looked at is right at the next look.
        if (++failures === 2) log.error({ error: messageOf(error) }, 'the kernel could not be brought in step, trying again');
        onSync('failed');
      }
      const pause = failures === 0 ? resyncMs : Math.min(RETRY_MS * 2 ** (failures - 1), RETRY_MAX_MS);
      await this.#pause(pause);
      await delay(GATHER_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#dirty || this.#stop.signal.aborted) this.#wake();
    });
  }
}
