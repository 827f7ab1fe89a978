/**
 * As Promise.all, and when one fails the others have ended before it is thrown: no request of ours is still on its way when an activity
 * fails and its undo begins.
 */
export async function settleAll<T extends readonly unknown[]>(
  promises: readonly [...{ [K in keyof T]: Promise<T[K]> | T[K] }],
): Promise<T> {
  const ended = await Promise.allSettled(promises);
  for (const result of ended) if (result.status === 'rejected') throw result.reason;
  return ended.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
}
