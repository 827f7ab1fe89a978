import { ALL_ZEROS, type Entry } from './kernel-state.js';

export interface PeerPlan {
  /** For `bridge -batch -`: additions first, so that one that moved is reached at once. */
  readonly lines: readonly string[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Learned ways that led to one who is no peer. */
  readonly forgotten: number;
}

/**
 * What differs between the flood list that is wanted and the one that is there. A peer that stays is not touched, nor is what others have set;
 * a MAC that was learned behind an address that is no peer's is forgotten, since its frames would go on to nowhere until it aged.
 */
export function planPeers(name: string, peers: ReadonlySet<string>, entries: readonly Entry[]): PeerPlan {
  const present = new Set(entries.filter(({ kind }) => kind === 'own').map(({ dst }) => dst));
  const added = [...peers].filter((peer) => !present.has(peer));
  const removed = [...present].filter((peer) => !peers.has(peer));
  const stale = entries.filter(({ kind, dst }) => kind === 'learned' && !peers.has(dst));
  return {
    lines: [
      ...added.map((peer) => `fdb append ${ALL_ZEROS} dev ${name} dst ${peer} self permanent`),
      ...removed.map((peer) => `fdb del ${ALL_ZEROS} dev ${name} dst ${peer} self`),
      ...stale.map(({ mac, dst }) => `fdb del ${mac} dev ${name} dst ${dst} self`),
    ],
    added,
    removed,
    forgotten: stale.length,
  };
}
