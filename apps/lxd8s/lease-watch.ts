import { messageOf } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import type { Clock } from './clock.js';
import { type LeaseBounds, leniencyOf } from './leniency.js';

/** What is known of the Lease now. */
export interface LeaseView {
  readonly lenient: boolean;
  readonly why: string;
  /** ISO 8601: the expiry that was seen last, also one that has passed. */
  readonly expiry?: string;
  /** ISO 8601: when it was read last. */
  readonly readAt?: string;
  /** Why it cannot be read now. */
  readonly error?: string;
}

interface Seen {
  readonly why: string;
  readonly wallUntil: number | undefined;
  readonly steadyUntil: number;
  readonly readAt: number;
}

export interface LeaseWatchOptions {
  readonly kube: Pick<KubernetesClient, 'find'>;
  readonly name: string;
  readonly bounds: LeaseBounds;
  readonly clock: Clock;
}

/**
 * The Lease that makes probes lenient, as it was read last. While it cannot be read the last expiry stands, and nothing but a reading makes it
 * later: lenient is only what both clocks call unexpired, so that a clock that is set back prolongs nothing.
 */
export class LeaseWatch {
  readonly #options: LeaseWatchOptions;
  #seen: Seen | undefined;
  #error: string | undefined;

  constructor(options: LeaseWatchOptions) {
    this.#options = options;
  }

  /** Reads it once. Throws nothing: a failure is part of the {@link view}. */
  async look(signal: AbortSignal): Promise<void> {
    const { kube, name, bounds, clock } = this.#options;
    try {
      const lease = await kube.find('lease', name, { signal });
      const { until, why } = leniencyOf(lease, bounds, clock);
      const steadyUntil = until === undefined ? 0 : clock.steady() + until - clock.wall();
      this.#seen = { why, wallUntil: until, steadyUntil, readAt: clock.wall() };
      this.#error = undefined;
    } catch (error) {
      this.#error = messageOf(error);
    }
  }

  view(): LeaseView {
    const seen = this.#seen;
    const error = this.#error === undefined ? {} : { error: this.#error };
    if (!seen) return { lenient: false, why: 'the Lease has not been read yet', ...error };
    const { wallUntil, steadyUntil, why } = seen;
    const { clock } = this.#options;
    const lenient = wallUntil !== undefined && clock.wall() < wallUntil && clock.steady() < steadyUntil;
    const expired = wallUntil !== undefined && !lenient;
    return {
      lenient,
      why: expired ? `the Lease expired at ${new Date(wallUntil).toISOString()}` : why,
      ...(wallUntil === undefined ? {} : { expiry: new Date(wallUntil).toISOString() }),
      readAt: new Date(seen.readAt).toISOString(),
      ...error,
    };
  }
}
