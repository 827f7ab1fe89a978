/** GitHub's primary limit: so many calls an hour for each identity. */
export class Budget {
  readonly #limits: { readonly anonymous: number; readonly token: number };
  readonly #spent = new Map<string, { used: number; resetAtMs: number }>();
  #exhaustedUntilMs = 0;

  constructor({ anonymous = 60, token = 5000 }: { readonly anonymous?: number; readonly token?: number } = {}) {
    this.#limits = { anonymous, token };
  }

  /** Nobody has a call left for so long. */
  exhaust(forMs: number): void {
    this.#exhaustedUntilMs = Date.now() + forMs;
  }

  /** Everybody has all calls again. */
  refill(): void {
    this.#exhaustedUntilMs = 0;
    this.#spent.clear();
  }

  /** False when nothing is left. */
  spend(identity: string): boolean {
    const entry = this.#entry(identity);
    if (this.#state(identity).remaining <= 0) return false;
    entry.used += 1;
    return true;
  }

  /** For a 304, which costs nothing. */
  giveBack(identity: string): void {
    this.#entry(identity).used -= 1;
  }

  headers(identity: string): Record<string, string> {
    const { remaining, resetAtMs, limit, used } = this.#state(identity);
    return {
      'x-ratelimit-limit': String(limit),
      'x-ratelimit-remaining': String(remaining),
      'x-ratelimit-used': String(used),
      'x-ratelimit-reset': String(Math.ceil(resetAtMs / 1000)),
      'x-ratelimit-resource': 'core',
    };
  }

  #state(identity: string) {
    const { used, resetAtMs } = this.#entry(identity);
    const limit = identity === '' ? this.#limits.anonymous : this.#limits.token;
    if (this.#exhaustedUntilMs > Date.now()) return { remaining: 0, resetAtMs: this.#exhaustedUntilMs, limit, used: limit };
    return { remaining: Math.max(limit - used, 0), resetAtMs, limit, used };
  }

  #entry(identity: string) {
    const known = this.#spent.get(identity);
    if (known && known.resetAtMs > Date.now()) return known;
    const fresh = { used: 0, resetAtMs: Date.now() + 3_600_000 };
    this.#spent.set(identity, fresh);
    return fresh;
  }
}
