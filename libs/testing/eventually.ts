/** What was waited for has not come; what the check threw at last is named, and its cause. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

export interface Patience {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** What is waited for, as the error names it. */
  readonly what?: string;
}

/** Waits until `check` gives something; one that throws is asked again. @throws DeadlineError after the deadline. */
export async function eventually<T>(
  check: () => Promise<T | undefined> | T | undefined,
  { timeoutMs = 10_000, intervalMs = 10, what }: Patience = {},
): Promise<T> {
  const endsAt = Date.now() + timeoutMs;
  for (;;) {
    let reason: unknown;
    try {
      const found = await check();
      if (found !== undefined) return found;
    } catch (error) {
      reason = error;
    }
    if (Date.now() >= endsAt) {
      const late = `${what === undefined ? '' : `${what}: `}not within ${timeoutMs / 1000} s`;
      throw new DeadlineError(reason instanceof Error ? `${late}: ${reason.message}` : late, { cause: reason });
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
