import { setTimeout as pause } from 'node:timers/promises';
import type { Call } from '../shared/guard.js';

const LOOKS = 5;
const BETWEEN_MS = 2_000;

/** Looks until a look is enough, five times at most: a single one misses members, as while a kubelet starts again. Gives the last one, enough or not. */
export async function lookAgain<T>(
  { signal }: Pick<Call, 'signal'>,
  look: () => Promise<T>,
  isEnough: (seen: T) => boolean,
  betweenMs = BETWEEN_MS,
): Promise<T> {
  for (let looks = 1; ; looks++) {
    const seen = await look();
    if (looks === LOOKS || isEnough(seen)) return seen;
    await pause(betweenMs, undefined, { signal });
  }
}
