import { isPlatformError } from '#libs/errors/platform-error.js';
import type { OperationDetail, Operations } from '#libs/temporal/operations.js';

export interface Watcher {
  onChange(detail: OperationDetail): void;
  /** The operation has ended (its last state was told before), is gone, or the watch is being closed. */
  onEnd(): void;
}

interface Watch {
  readonly watchers: Set<Watcher>;
  last?: OperationDetail;
  seen: string;
}

/** Follows operations for any number of watchers: one question at a time per operation, asked again a little later. */
export class OperationWatch {
  readonly #operations: Pick<Operations, 'get'>;
  readonly #intervalMs: number;
  readonly #watches = new Map<string, Watch>();
  #closed = false;

  constructor(operations: Pick<Operations, 'get'>, intervalMs: number) {
    this.#operations = operations;
    this.#intervalMs = intervalMs;
  }

  get size(): number {
    return [...this.#watches.values()].reduce((sum, { watchers }) => sum + watchers.size, 0);
  }

  /** Tells the state known last at once, then each change. Returns how to stop. */
  subscribe(id: string, watcher: Watcher): () => void {
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

  async #follow(id: string, watch: Watch): Promise<void> {
    while (watch.watchers.size > 0 && !this.#closed) {
      const ended = await this.#look(id, watch);
      if (ended) break;
      await new Promise((resolve) => setTimeout(resolve, this.#intervalMs).unref());
    }
    this.#end(id, watch);
  }

  async #look(id: string, watch: Watch): Promise<boolean> {
    try {
      const detail = await this.#operations.get(id);
      const text = JSON.stringify(detail);
      watch.last = detail;
      if (text !== watch.seen) for (const watcher of watch.watchers) watcher.onChange(detail);
      watch.seen = text;
      return detail.status !== 'running';
    } catch (error) {
      // Temporal being away passes; whatever else happens ends the stream, and the client asks again.
      return !isPlatformError(error, 'UNAVAILABLE');
    }
  }

  #end(id: string, watch: Watch): void {
    if (this.#watches.get(id) === watch) this.#watches.delete(id);
    for (const watcher of watch.watchers) watcher.onEnd();
    watch.watchers.clear();
  }
}
