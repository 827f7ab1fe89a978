import type { LxdView } from '../lxd-watch.js';
import type { MemoryView } from './memory/tell-memory.js';
import type { PreseedView } from './preseed/keep-preseed.js';
import type { LxdProcessView } from './runtime/lxd-keeper.js';

/**
 * `volumes`: one of them cannot be used. `starting`: LXD does not serve yet. `entering`: LXD is in no cluster yet. `serving`: it is in one, and
 * serves. `stopping`: asked to end.
 */
export const PHASES = ['volumes', 'starting', 'entering', 'serving', 'stopping'] as const;
export type Phase = (typeof PHASES)[number];

/** What the member says of itself at `/state`. */
export interface MemberState {
  readonly member: string;
  readonly phase: Phase;
  /** What it waits for, or does. */
  readonly why: string;
  /** It waits for something outside, or for a machine that starts: to end it would change nothing. */
  readonly waits: boolean;
  /** Whether its LXD is in a cluster; undefined until that is known. */
  readonly clustered?: boolean;
  readonly cluster?: string;
  readonly lxd: LxdView & LxdProcessView;
  /** What is not as it should be although it serves, by part. */
  readonly problems: Readonly<Record<string, string>>;
  readonly preseed?: PreseedView;
  /** Where it is looked at. */
  readonly memory?: MemoryView;
}
