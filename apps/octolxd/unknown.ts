import { PlatformError } from '#libs/errors/platform-error.js';

export interface UnknownOptions {
  readonly perMinute: number;
  readonly entries: number;
  readonly believedMs: number;
  readonly now?: () => number;
}

/** Guards GitHub against requests for repositories that are not known: few calls a minute, and what GitHub does not have is remembered. */
export class Unknown {
  readonly #options: UnknownOptions;
  readonly #now: () => number;
  /** Until when, by repository; the oldest first. */
  readonly #notFound = new Map<string, number>();
  #tokens: number;
  #countedAt: number;

  constructor(options: UnknownOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#tokens = options.perMinute;
    this.#countedAt = this.#now();
  }

  /** To be asked before the first call for a repository. @throws PlatformError NOT_FOUND, or RATE_LIMITED with `reason: 'unknown'` */
  admit(key: string): void {
    const until = this.#notFound.get(key);
    if (until !== undefined && until > this.#now()) throw notFound(key);
    this.#refill();
    if (this.#tokens < 1) {
      const retryAfterMs = Math.ceil(((1 - this.#tokens) * 60_000) / this.#options.perMinute);
      throw new PlatformError('RATE_LIMITED', 'Too many repositories that are not known here were asked for. Try again later.', {
        details: { retryAfterMs, reason: 'unknown' },
      });
    }
    this.#tokens -= 1;
  }

  /** GitHub has no such repository. */
  remember(key: string): void {
    this.#notFound.delete(key);
    this.#notFound.set(key, this.#now() + this.#options.believedMs);
    for (const oldest of this.#notFound.keys()) {
      if (this.#notFound.size <= this.#options.entries) return;
      this.#notFound.delete(oldest);
    }
  }

  get remembered(): number {
    return this.#notFound.size;
  }

  #refill(): void {
    const now = this.#now();
    const { perMinute } = this.#options;
    this.#tokens = Math.min(perMinute, this.#tokens + ((now - this.#countedAt) * perMinute) / 60_000);
    this.#countedAt = now;
  }
}

export function notFound(key: string): PlatformError {
  return new PlatformError('NOT_FOUND', `There is no repository ${key} here: GitHub does not show it, or it may not be served.`, {
    details: { legacyMessage: 'Not Found' },
  });
}
