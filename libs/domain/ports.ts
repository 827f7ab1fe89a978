import { candidates } from './candidates.js';

/** External ports, inclusive. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** Every port of the range, in the order in which a seeker tries them. */
export function* portCandidates({ from, to }: PortRange, seed: string): Generator<number> {
  for (const index of candidates(to - from + 1, seed)) yield from + index;
}
