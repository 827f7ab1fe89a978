import { isPlatformError } from '#libs/errors/platform-error.js';
import type { OperationStatus } from '#libs/temporal/operations.js';

export interface Watcher<T> {
  onChange(state: T): void;
  /** The operation has ended (its last state was told before), is gone, or the watch is being closed. */
  onEnd(): void;
}

interface Watch<T> {
  readonly watchers: Set<Watcher<T>>;
  last?: T;
  seen: string;
}

/** Follows operations for any number of watchers: one question at a time per operation, asked again a little later. */
export class OperationWatch<T extends { readonly status: OperationStatus }> {
  readonly #read: (id: string) => Promise<T>;
  readonly #intervalMs: number;
  readonly #watches = new Map<string, Watch<T>>();
  #closed = false;

  constructor(read: (id: string) => Promise<T>, intervalMs: number) {
    this.#read = read;
    this.#intervalMs = intervalMs;
  }

  get size(): number {
    return [...this.#watches.values()].reduce((sum, { watchers }) => sum + watchers.size, 0);
  }

  /** Tells the state known last at once, then each change. Returns how to stop. */
  subscribe(id: string, watcher: Watcher<T>): () => void {
    let watch = this.#watches.get(id);
    if (watch) {
      watch.watchers.add(watcher);
      if (watch.last) watcher.onChange(watch.last);
    } else {
      watch = { watchers: new Set([watcher]), seen: '' };
      this.#watches.set(id, watch);
      void this.#follow(id, watch);
    }
    return () => {
      watch.watchers.delete(watcher);
    };
  }

  close(): void {
    this.#closed = true;
    for (const [id, watch] of this.#watches) this.#end(id, watch);
  }

  async #follow(id: string, watch: Watch<T>): Promise<void> {
    while (watch.watchers.size > 0 && !this.#closed) {
      const ended = await this.#look(id, watch);
      if (ended) break;
      await new Promise((resolve) => setTimeout(resolve, this.#intervalMs).unref());
    }
    this.#end(id, watch);
  }

  async #look(id: string, watch: Watch<T>): Promise<boolean> {
    try {
      const state = await this.#read(id);
      const text = JSON.stringify(state);
      watch.last = state;
      if (text !== watch.seen) for (const watcher of watch.watchers) watcher.onChange(state);
      watch.seen = text;
      return state.status !== 'running';
    } catch (error) {
      // Temporal being away passes; whatever else happens ends the stream, and the client asks again.
      return !isPlatformError(error, 'UNAVAILABLE');
    }
  }

  #end(id: string, watch: Watch<T>): void {
    if (this.#watches.get(id) === watch) this.#watches.delete(id);
    for (const watcher of watch.watchers) watcher.onEnd();
    watch.watchers.clear();
  }
}
