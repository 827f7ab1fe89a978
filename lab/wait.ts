import { setTimeout as sleep } from 'node:timers/promises';

export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** Polls until the check gives something other than undefined or false; its last error is part of the deadline's. */
export async function waitFor<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs, intervalMs = 50 }: { timeoutMs: number; intervalMs?: number },
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let reason: unknown;
    try {
      const result = await check();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      reason = error;
    }
    if (Date.now() >= deadline) {
      const why = reason instanceof Error ? `: ${reason.message}` : '';
      throw new DeadlineError(`${what}: not within ${timeoutMs / 1000} s${why}`, { cause: reason });
    }
    await sleep(intervalMs);
  }
}
