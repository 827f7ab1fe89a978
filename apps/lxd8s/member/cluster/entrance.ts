import type { Cluster } from './record.js';

/** Another pod of the StatefulSet, as it answered. */
export type Peer =
  | { readonly at: string; readonly is: 'silent'; readonly why: string }
  | { readonly at: string; readonly is: 'alone' | 'clustered'; readonly member: string };

export interface EntranceQuestion {
  readonly member: string;
  /** Uid of this member's volume. */
  readonly volume: string;
  readonly record: Cluster | undefined;
  /** Who is to be asked only when there is no record. */
  readonly peers: readonly Peer[];
}

/** What a member whose LXD is in no cluster does next. `why` is what it waits for. */
export type Entrance = { readonly step: 'claim' | 'reclaim' | 'bootstrap' | 'join' } | { readonly step: 'wait'; readonly why: string };

/**
 * Only member 0 makes a cluster, and only with the record that it created itself, for this volume. Without a record it is created only when each
 * other pod there is says that it is in no cluster: what cannot be asked is unknown, not absent.
 */
export function entranceOf({ member, volume, record, peers }: EntranceQuestion): Entrance {
  if (record?.phase === 'formed') return { step: 'join' };
  if (record) {
    if (record.claim.member !== member) return { step: 'wait', why: `${record.claim.member} makes the cluster` };
    // No cluster was ever made by this claim, so one on another volume is not lost.
    return { step: record.claim.volume === volume ? 'bootstrap' : 'reclaim' };
  }
  const clustered = peers.find(({ is }) => is === 'clustered');
  if (clustered) return { step: 'wait', why: `the record of the cluster is missing, and ${nameOf(clustered)} is to write it again` };
  if (!member.endsWith('-0')) return { step: 'wait', why: `${member.replace(/\d+$/, '0')} is to make the cluster` };
  const silent = peers.find(({ is }) => is === 'silent');
  if (silent?.is === 'silent') {
    return { step: 'wait', why: `whether the pod at ${silent.at} is in a cluster cannot be asked (${silent.why}), so no new one is made` };
  }
  return { step: 'claim' };
}

const nameOf = (peer: Peer): string => (peer.is === 'silent' ? peer.at : peer.member);
