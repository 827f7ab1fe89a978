import { readFileSync } from 'node:fs';

/** For Kubernetes, Temporal, health, nft and the attempts of those who are being connected. */
const KEPT = 512;
/** Listeners leave so much to connections. */
const OF_LISTENERS = 7 / 8;

/** The file descriptors of this process: who needs some takes them here first, so that none fails for want of one in the middle of its work. */
export class Descriptors {
  readonly #limit: number;
  #taken = 0;

  /** @param openFiles the process's limit */
  constructor(openFiles: number) {
    this.#limit = Math.max(openFiles - KEPT, 16);
  }

  /** As many listeners as there may be beside connections. */
  get mostListeners(): number {
    return Math.floor(this.#limit * OF_LISTENERS);
  }

  /** As many connections as there may be without any listener; each needs two. */
  get mostStreams(): number {
    return Math.floor(this.#limit / 2);
  }

  /** True when there were so many, which {@link give} brings back. */
  take(count: number): boolean {
    if (this.#taken + count > this.#limit) return false;
    this.#taken += count;
    return true;
  }

  give(count: number): void {
    this.#taken -= count;
  }
}

/** How many files this process may have open (proc_pid_limits(5)); Node has raised it to the hard limit already. */
export function openFilesLimit(limits = readFileSync('/proc/self/limits', 'utf8')): number {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}
