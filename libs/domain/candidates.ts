import { createHash } from 'node:crypto';

/**
 * The order in which one of `size` places is looked for: it begins where the hash of the seed falls, so that seekers at once seldom meet,
 * and a retry meets its own claim first. Gives 0 to size - 1, each once.
 */
export function* candidates(size: number, seed: string): Generator<number> {
  const first = createHash('sha256').update(seed).digest().readUInt32BE(0) % size;
  for (let i = 0; i < size; i++) yield (first + i) % size;
}
