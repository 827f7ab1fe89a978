import type { LxdInstance, LxdInstanceState } from '#libs/lxd/types.js';

interface Start {
  /** Of the container's first process: another start has another one. */
  readonly pid: number;
  readonly last_used_at: string;
  readonly until: number;
}

/** A record changed by hand is believed to be as it was for so long. */
const BELIEVED_MS = 10_000;
const MAX_ENTRIES = 10_000;

/**
 * Since when running webspaces run, which LXD tells with the instance and not with its state. While the pid is the same it need not be read again,
 * so that a state costs LXD one read and not two. Only what was read for its owner is noted.
 */
export class KnownStarts {
  readonly #starts = new Map<string, Start>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  find(name: string): Start | undefined {
    const start = this.#starts.get(name);
    if (start && start.until > this.#now()) return start;
    this.#starts.delete(name);
    return undefined;
  }

  /** LXD writes the power state and the time of the start together, some time after the pid can be seen (LXD 5.0.2, source). */
  note({ name, config, last_used_at }: LxdInstance, { pid }: LxdInstanceState): void {
    if (pid <= 0 || config['volatile.last_state.power'] !== 'RUNNING') return;
    if (this.#starts.size >= MAX_ENTRIES) this.#starts.clear();
    this.#starts.set(name, { pid, last_used_at, until: this.#now() + BELIEVED_MS });
  }
}
