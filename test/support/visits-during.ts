import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#libs/errors/platform-error.js';

export interface VisitsDuring<T> {
  readonly result: T;
  readonly visits: number;
  readonly failed: readonly string[];
  /** From the begin of a visit that failed to the end of the next one that did not. */
  readonly longestAwayMs: number;
  /** Of those that did not fail. */
  readonly slowestMs: number;
}

/** One visit after the other, with a pause, for as long as that takes; what a visit says must fit. */
export async function visitsDuring<T>(visit: () => Promise<string>, fits: RegExp, work: () => Promise<T>): Promise<VisitsDuring<T>> {
  let working = true;
  let [visits, longestAwayMs, slowestMs] = [0, 0, 0];
  let awaySince: number | undefined;
  const failed: string[] = [];
  const visiting = async () => {
    while (working) {
      const begun = Date.now();
      const said = await visit().catch((error: unknown) => messageOf(error));
      visits += 1;
      const well = fits.test(said);
      if (well) slowestMs = Math.max(slowestMs, Date.now() - begun);
      else {
        awaySince ??= begun;
        failed.push(said.slice(0, 200));
      }
      if (awaySince !== undefined) longestAwayMs = Math.max(longestAwayMs, Date.now() - awaySince);
      if (well) awaySince = undefined;
      await delay(100);
    }
  };
  const visitor = visiting();
  const result = await work().finally(() => {
    working = false;
    return visitor;
  });
  return { result, visits, failed, longestAwayMs, slowestMs };
}
