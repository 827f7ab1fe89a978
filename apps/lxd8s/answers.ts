import type { LeaseView } from './lease-watch.js';
import type { LxdView } from './lxd-watch.js';

export const PROBES = ['startup', 'live', 'ready'] as const;
export type Probe = (typeof PROBES)[number];

export interface ProbeAnswer {
  readonly passes: boolean;
  /** `lenient`: it passes only because of the Lease. */
  readonly by: 'strict' | 'lenient';
  readonly why: string;
}

/**
 * Strict: a member has started when it serves, and lives as long as it answers anything; one that waits for the others answers. Start-up and
 * liveness pass while the Lease holds; readiness is strict always.
 */
export function answersOf(lxd: LxdView, lease: LeaseView, deadSeconds: number): Readonly<Record<Probe, ProbeAnswer>> {
  const seen = sentence(lxd);
  const serves = { passes: lxd.is === 'serving', why: seen };
  const lives =
    lxd.is === 'silent' && lxd.seconds < deadSeconds
      ? { passes: true, why: `${seen}; it counts as dead after ${deadSeconds} s` }
      : { passes: lxd.is !== 'silent', why: seen };
  return { startup: leniently(serves, lease), live: leniently(lives, lease), ready: { ...serves, by: 'strict' } };
}

function leniently(strict: { readonly passes: boolean; readonly why: string }, lease: LeaseView): ProbeAnswer {
  if (strict.passes) return { ...strict, by: 'strict' };
  const why = `${strict.why}; ${lease.why}${lease.error === undefined ? '' : ` (cannot be read now: ${lease.error})`}`;
  return lease.lenient ? { passes: true, by: 'lenient', why } : { passes: false, by: 'strict', why };
}

function sentence({ is, said, seconds }: LxdView): string {
  const what = { serving: 'LXD serves', waiting: 'LXD answers and does not serve', silent: 'LXD is silent' }[is];
  return is === 'serving' ? what : `${what} for ${seconds} s (${said})`;
}
