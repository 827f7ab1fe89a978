import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '#libs/logging/logger.js';
import { logOfLxd } from './lxd-lines.js';
import type { LxdRun, Runtime } from './runtime.js';

/** What people may know of LXD's process. */
export interface LxdProcessView {
  readonly pid?: number;
  /** ISO 8601, of the run there is. */
  readonly startedAt?: string;
  readonly starts: number;
  /** How the last run ended that nobody asked to end, and what it said last. */
  readonly lastEnd?: { readonly at: string; readonly how: string; readonly said: readonly string[] };
  /** ISO 8601: when it is started again. */
  readonly again?: string;
}

export interface LxdKeeperOptions {
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly pauseSeconds: { readonly first: number; readonly most: number };
}

const LINES_KEPT = 5;
/** A run of this length was a good one. */
const GOOD_MS = 600_000;

/** Keeps LXD running: one that ends by itself is started again after a pause, and each time it is said and counted. */
export class LxdKeeper {
  readonly #options: LxdKeeperOptions;
  readonly #stopping = new AbortController();
  #run: LxdRun | undefined;
  #starts = 0;
  #begun = 0;
  #lastEnd: LxdProcessView['lastEnd'];
  #again: string | undefined;
  #looping: Promise<void> | undefined;

  constructor(options: LxdKeeperOptions) {
    this.#options = options;
  }

  /** Starts LXD, once; it is kept from then on. */
  start(): void {
    this.#looping ??= this.#loop();
  }

  view(): LxdProcessView {
    return {
      ...(this.#run ? { pid: this.#run.pid, startedAt: new Date(this.#begun).toISOString() } : {}),
      starts: this.#starts,
      ...(this.#lastEnd ? { lastEnd: this.#lastEnd } : {}),
      ...(this.#again === undefined ? {} : { again: this.#again }),
    };
  }

  /** From now on an end is final. The run there is, if any. */
  release(): LxdRun | undefined {
    this.#stopping.abort();
    return this.#run;
  }

  async #loop(): Promise<void> {
    const { runtime, log, pauseSeconds } = this.#options;
    let pause = pauseSeconds.first;
    while (!this.#stopping.signal.aborted) {
      const said: string[] = [];
      const give = logOfLxd(log);
      this.#begun = Date.now();
      this.#starts += 1;
      this.#again = undefined;
      const run = runtime.start((line) => {
        if (said.push(line) > LINES_KEPT) said.shift();
        give(line);
      });
      this.#run = run;
      log.info({ lxd: run.pid, start: this.#starts }, 'LXD started');
      const { code, signal } = await run.ended;
      this.#run = undefined;
      if (this.#stopping.signal.aborted) return;
      if (Date.now() - this.#begun > GOOD_MS) pause = pauseSeconds.first;
      const how = signal === null ? `exit ${code}` : signal;
      this.#lastEnd = { at: new Date().toISOString(), how, said };
      this.#again = new Date(Date.now() + pause * 1000).toISOString();
      log.error({ how, said, againInSeconds: pause }, 'LXD has ended by itself');
      // Rejects only when it ends.
      await delay(pause * 1000, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      pause = Math.min(pause * 2, pauseSeconds.most);
    }
  }
}
