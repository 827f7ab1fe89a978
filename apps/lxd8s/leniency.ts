import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import type { Clock } from './clock.js';

/** What a reading of the Lease says, in words for people too. */
export interface Leniency {
  /** Of `wall`; undefined for a Lease that makes nothing lenient. */
  readonly until: number | undefined;
  readonly why: string;
}

export interface LeaseBounds {
  readonly maxSeconds: number;
  readonly skewSeconds: number;
}

/**
 * How long a Lease makes probes lenient: until `renewTime` and its duration, at most `maxSeconds`. One without a holder, without a readable
 * time, or renewed further ahead of our clock than `skewSeconds` makes nothing lenient. So no Lease reaches further than both bounds from now.
 */
export function leniencyOf(lease: StoredObject | undefined, { maxSeconds, skewSeconds }: LeaseBounds, clock: Clock): Leniency {
  if (!lease) return strict('there is no Lease');
  const { holderIdentity, renewTime, leaseDurationSeconds } = (lease['spec'] ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof holderIdentity !== 'string' || holderIdentity === '') return strict('nobody holds the Lease');
  const renewed = typeof renewTime === 'string' ? Date.parse(renewTime) : Number.NaN;
  if (Number.isNaN(renewed)) return strict('the Lease tells no time of its renewal');
  if (typeof leaseDurationSeconds !== 'number' || !(leaseDurationSeconds > 0)) return strict('the Lease tells no duration');
  const aheadSeconds = (renewed - clock.wall()) / 1000;
  if (aheadSeconds > skewSeconds) {
    return strict(
      `the Lease was renewed ${Math.round(aheadSeconds)} s ahead of this clock, and no more than ${skewSeconds} s are believed: is a clock wrong?`,
    );
  }
  const capped = leaseDurationSeconds > maxSeconds ? ` (it states ${leaseDurationSeconds} s, of which ${maxSeconds} s count)` : '';
  const until = renewed + Math.min(leaseDurationSeconds, maxSeconds) * 1000;
  return { until, why: `${holderIdentity} holds the Lease until ${new Date(until).toISOString()}${capped}${reasonOf(lease)}` };
}

function reasonOf({ metadata }: StoredObject): string {
  const { [UPGRADE_KEYS.by]: by, [UPGRADE_KEYS.why]: why } = metadata.annotations ?? {};
  const parts = [by === undefined ? '' : `by ${by}`, why ?? ''].filter(Boolean);
  return parts.length === 0 ? '' : `; ${parts.join(': ')}`;
}

function strict(why: string): Leniency {
  return { until: undefined, why };
}
