import type { Phase } from '#libs/contracts/webspaces-api.js';

/** The state of an instance as far as it decides anything. Only what LXD says plainly counts; everything else is unknown, not absent. */
export type InstancePhase = Extract<Phase, 'running' | 'stopped' | 'paused' | 'unknown'>;

const PHASE_OF_STATUS: ReadonlyMap<number, InstancePhase> = new Map<number, InstancePhase>([
  [103, 'running'],
  [102, 'stopped'],
  [110, 'paused'],
]);

/** Reads LXD's status code: Running 103, Stopped 102, Frozen 110; Error 112 and all others are unknown. */
export function phaseOf(statusCode: number): InstancePhase {
  return PHASE_OF_STATUS.get(statusCode) ?? 'unknown';
}
