import type { Alignment, Versions } from '../observed.js';
import { compareVersions } from '../versions.js';

/** A daemon of the simulation. `electing`: it runs and has no majority yet. */
export type Daemon = 'off' | 'electing' | 'waiting' | 'serving' | 'exited';

export interface SimulatedMember {
  readonly name: string;
  daemon: Daemon;
  row: Versions;
  /** When it last had a daemon that was not off. */
  lastSeenAt: number;
  /** When a waiting daemon will serve, all rows being equal. */
  servesAt?: number;
  evacuated: boolean;
  readonly instances: number;
}

/** What a daemon of these versions does at its start, by the rows of all (lxd/db/cluster/open.go, EnsureSchema). */
export function startDaemon(
  member: SimulatedMember,
  all: readonly SimulatedMember[],
  { versions, alignment }: { versions: Versions; alignment: Alignment },
): void {
  const others = all.filter((other) => other !== member);
  const stands = others.map(({ row }) => compareVersions(versions, row));
  if (stands.includes('inconsistent') || (alignment === 'upwards' && stands.includes('behind'))) {
    member.daemon = 'exited';
    return;
  }
  member.row = versions;
  member.daemon = stands.every((stand) => stand === 'equal') ? 'serving' : 'waiting';
}

/** Waiting daemons go on once all rows are equal. */
export function align(
  all: readonly SimulatedMember[],
  { now, alignSeconds }: { readonly now: number; readonly alignSeconds: number },
): void {
  const [first] = all;
  const agreed = all.every(({ row }) => first && compareVersions(row, first.row) === 'equal');
  for (const member of all) {
    if (member.daemon !== 'waiting' || !agreed) {
      delete member.servesAt;
    } else {
      member.servesAt ??= now + alignSeconds;
      if (now >= member.servesAt) member.daemon = 'serving';
    }
  }
}

export function hasMajority(all: readonly SimulatedMember[]): boolean {
  const running = all.filter(({ daemon }) => daemon === 'electing' || daemon === 'waiting' || daemon === 'serving');
  return running.length > all.length / 2;
}
