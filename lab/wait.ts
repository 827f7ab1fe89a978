import { eventually } from '#libs/testing/eventually.js';

export { DeadlineError } from '#libs/testing/eventually.js';

/** As `eventually`, for what has a name: polls until the check gives something other than undefined or false. @throws DeadlineError with the check's last error. */
export function waitFor<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs, intervalMs = 50 }: { timeoutMs: number; intervalMs?: number },
): Promise<T> {
  const found = async () => {
    const result = await check();
    return result === false ? undefined : result;
  };
  return eventually<T>(found, { what, timeoutMs, intervalMs });
}
