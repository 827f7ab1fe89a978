import type { LeaseView } from './lease-watch.js';
import type { LxdView } from './lxd-watch.js';
import type { MemberView } from './member-watch.js';

export const PROBES = ['startup', 'live', 'ready'] as const;
export type Probe = (typeof PROBES)[number];

export interface ProbeAnswer {
  readonly passes: boolean;
  /** `lenient`: it passes only because of the Lease; `waits`: only because the member waits for something outside. */
  readonly by: 'strict' | 'lenient' | 'waits';
  readonly why: string;
}

export interface Seen {
  readonly lxd: LxdView;
  readonly lease: LeaseView;
  /** Of the process that LXD runs under, where there is one. */
  readonly member?: MemberView | undefined;
  readonly deadSeconds: number;
}

interface Strict {
  readonly passes: boolean;
  readonly why: string;
}

/**
 * Strict: a member has started when it serves, and lives as long as it answers anything; one that waits for the others answers. Start-up and
 * liveness pass while the Lease holds, and while the process that LXD runs under says that it waits; readiness is strict always, and a member that
 * has yet to come into the cluster has none.
 */
export function answersOf({ lxd, lease, member, deadSeconds }: Seen): Readonly<Record<Probe, ProbeAnswer>> {
  const seen = sentence(lxd);
  const serves = { passes: lxd.is === 'serving', why: seen };
  const lives =
    lxd.is === 'silent' && lxd.seconds < deadSeconds
      ? { passes: true, why: `${seen}; it counts as dead after ${deadSeconds} s` }
      : { passes: lxd.is !== 'silent', why: seen };
  const leniently = (strict: Strict) => answer(strict, lease, member);
  const ready = member?.phase === 'entering' ? { passes: false, why: `it is not in the cluster yet: ${member.why}` } : serves;
  return { startup: leniently(serves), live: leniently(lives), ready: { ...ready, by: 'strict' } };
}

function answer(strict: Strict, lease: LeaseView, member: MemberView | undefined): ProbeAnswer {
  if (strict.passes) return { ...strict, by: 'strict' };
  if (member?.waits) return { passes: true, by: 'waits', why: `${strict.why}; the member waits: ${member.why}` };
  const why = `${strict.why}; ${lease.why}${lease.error === undefined ? '' : ` (cannot be read now: ${lease.error})`}`;
  return lease.lenient ? { passes: true, by: 'lenient', why } : { passes: false, by: 'strict', why };
}

function sentence({ is, said, seconds }: LxdView): string {
  const what = { serving: 'LXD serves', waiting: 'LXD answers and does not serve', silent: 'LXD is silent' }[is];
  return is === 'serving' ? what : `${what} for ${seconds} s (${said})`;
}
