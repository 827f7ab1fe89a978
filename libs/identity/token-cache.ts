import { createHash } from 'node:crypto';

interface Entry<T> {
  readonly value: T;
  readonly until: number;
}

export interface TokenCacheOptions {
  readonly ttlMs: number;
  readonly maxEntries: number;
  readonly now?: () => number;
}

/**
 * Remembers what verified tokens gave, for a short time and never beyond the token's own end. Keyed by the token's hash, bounded (least recently
 * used goes first). Equal tokens that come while one is being verified share its answer; failures are not remembered.
 */
export class TokenCache<T extends { readonly expiresAt: number }> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #inFlight = new Map<string, Promise<T>>();
  readonly #options: TokenCacheOptions;
  readonly #now: () => number;

  constructor(options: TokenCacheOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  get(token: string, verify: (token: string) => Promise<T>): Promise<T> | T {
    const key = createHash('sha256').update(token).digest('base64');
    const entry = this.#entries.get(key);
    if (entry) {
      this.#entries.delete(key);
      if (entry.until > this.#now()) {
        this.#entries.set(key, entry);
        return entry.value;
      }
    }
    const running = this.#inFlight.get(key);
    if (running) return running;
    const promise = verify(token)
      .then((value) => {
        this.#remember(key, value);
        return value;
      })
      .finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, promise);
    return promise;
  }

  #remember(key: string, value: T): void {
    const until = Math.min(this.#now() + this.#options.ttlMs, value.expiresAt);
    if (until <= this.#now()) return;
    this.#entries.set(key, { value, until });
    while (this.#entries.size > this.#options.maxEntries) this.#entries.delete(this.#entries.keys().next().value as string);
  }
}
