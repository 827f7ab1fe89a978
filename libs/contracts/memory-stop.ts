import type { IdleWebspace } from './idle-stop.js';

/** Who asks for the shutdown of a webspace because its member's memory is short. */
export const MEMORY_STOP = 'memory-stop';

/** A member of LXD's cluster whose memory is short. */
export interface ShortMember {
  readonly member: string;
  /** The webspace on it that was not used for the longest time; undefined when none may be stopped. */
  readonly webspace?: IdleWebspace;
}

/** Outcome of a round of `memoryStop`. */
export interface MemoryStopResult {
  /** Members whose memory is short. */
  readonly short: readonly string[];
  readonly stopped: number;
}
