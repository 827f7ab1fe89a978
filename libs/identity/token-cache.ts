import { createHash } from 'node:crypto';

interface Entry<T> {
  readonly value: T;
  readonly until: number;
}

export interface TokenCacheOptions {
  readonly ttlMs: number;
  /** How long a refusal is given again; 0 unless given. */
  readonly refusalTtlMs?: number;
  readonly maxEntries: number;
  /** Which failures are refusals of the token itself. */
  readonly isRefusal?: (error: unknown) => boolean;
  readonly now?: () => number;
}

/**
 * Remembers what verified tokens gave, for a short time and never beyond the token's own end, and for a shorter one which tokens were refused.
 * Keyed by the token's hash, bounded (least recently used goes first; refused tokens never push out good ones). Equal tokens that come while one
 * is being verified share its answer; other failures are not remembered.
 */
export class TokenCache<T extends { readonly expiresAt: number }> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #refusals = new Map<string, Entry<unknown>>();
  readonly #inFlight = new Map<string, Promise<T>>();
  readonly #options: TokenCacheOptions;
  readonly #now: () => number;

  constructor(options: TokenCacheOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** @throws what `verify` throws, also when it is remembered. */
  async get(token: string, verify: (token: string) => Promise<T>): Promise<T> {
    const key = createHash('sha256').update(token).digest('base64');
    const entry = this.#recent(this.#entries, key);
    if (entry) return entry.value;
    const refusal = this.#recent(this.#refusals, key);
    if (refusal) throw refusal.value;
    const running = this.#inFlight.get(key);
    if (running) return running;
    const promise = verify(token)
      .then(
        (value) => {
          this.#remember(this.#entries, key, value, Math.min(this.#now() + this.#options.ttlMs, value.expiresAt));
          return value;
        },
        (error: unknown) => {
          if (this.#options.isRefusal?.(error)) {
            this.#remember(this.#refusals, key, error, this.#now() + (this.#options.refusalTtlMs ?? 0));
          }
          throw error;
        },
      )
      .finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, promise);
    return promise;
  }

  #recent<V>(entries: Map<string, Entry<V>>, key: string): Entry<V> | undefined {
    const entry = entries.get(key);
    if (!entry) return undefined;
    entries.delete(key);
    if (entry.until <= this.#now()) return undefined;
    entries.set(key, entry);
    return entry;
  }

  #remember<V>(entries: Map<string, Entry<V>>, key: string, value: V, until: number): void {
    if (until <= this.#now()) return;
    entries.set(key, { value, until });
    while (entries.size > this.#options.maxEntries) entries.delete(entries.keys().next().value as string);
  }
}
