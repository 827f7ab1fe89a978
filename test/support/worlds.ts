import type { Lab } from '#lab/harness.js';
import { waitFor } from '#lab/wait.js';
import { type Verdict, verdictOn } from './audit.js';
import { readWorld, type World } from './world.js';

/** Reads the world for many who look at once: a look begins after it was asked for, and those who ask meanwhile share the next one. */
export class Worlds {
  #current: Promise<World> | undefined;
  #next: Promise<World> | undefined;

  constructor(private readonly lab: Lab) {}

  next(): Promise<World> {
    if (!this.#current) {
      this.#current = this.#read().finally(() => {
        this.#current = undefined;
      });
      return this.#current;
    }
    this.#next ??= this.#current.then(
      () => this.#following(),
      () => this.#following(),
    );
    return this.#next;
  }

  /** What a webspace has come to: whole or nothing, or wrong when the time is over. */
  async verdict(name: string, timeoutMs: number): Promise<Verdict> {
    let last: Verdict = { is: 'wrong', problems: ['was not read'] };
    const look = async () => {
      last = verdictOn(await this.next(), name);
      return last.is !== 'wrong';
    };
    await waitFor(`${name} whole or nothing`, look, { timeoutMs, intervalMs: 150 }).catch(() => undefined);
    return last;
  }

  #following(): Promise<World> {
    this.#next = undefined;
    return this.next();
  }

  /** Again for a while when it cannot be read: a part may have been restarted just now. */
  #read(): Promise<World> {
    return waitFor('LXD and Kubernetes to be read', () => readWorld(this.lab), { timeoutMs: 20_000, intervalMs: 200 });
  }
}
