import { PlatformError } from '#libs/errors/platform-error.js';

/** Visitors who wait for a webspace, counted: so many in all and for each webspace, and no more. */
export class Waiting {
  readonly #limits: { readonly waiting: number; readonly waitingPerWebspace: number };
  readonly #of = new Map<string, number>();
  #all = 0;

  constructor(limits: { readonly waiting: number; readonly waitingPerWebspace: number }) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#all;
  }

  /**
   * Counts a visitor of a webspace (by uid) while the work lasts.
   * @throws PlatformError RATE_LIMITED when there are too many already, with `details.reason` (`waiting`, `waitingPerWebspace`) and
   * `details.retryAfterMs`.
   */
  async during<T>(uid: string, work: () => Promise<T>): Promise<T> {
    const { waiting, waitingPerWebspace } = this.#limits;
    const already = this.#of.get(uid) ?? 0;
    if (this.#all >= waiting) throw tooMany('waiting');
    if (already >= waitingPerWebspace) throw tooMany('waitingPerWebspace');
    this.#all += 1;
    this.#of.set(uid, already + 1);
    try {
      return await work();
    } finally {
      this.#all -= 1;
      const left = (this.#of.get(uid) ?? 1) - 1;
      if (left > 0) this.#of.set(uid, left);
      else this.#of.delete(uid);
    }
  }
}

function tooMany(reason: 'waiting' | 'waitingPerWebspace'): PlatformError {
  return new PlatformError('RATE_LIMITED', 'Too many visitors wait already.', { details: { reason, retryAfterMs: 5_000 } });
}
