export interface Deadline {
  readonly signal: AbortSignal;
  /** Whether it was the time limit that aborted it. */
  expired(): boolean;
  /** To be called when the work has ended. */
  clear(): void;
}

/** One signal for the caller's abort and the time limit. Not AbortSignal.any: Node 20 keeps every such signal until its source is freed. */
export function deadline(signal: AbortSignal | undefined, timeoutMs: number): Deadline {
  const controller = new AbortController();
  let expired = false;
  const onAbort = (): void => controller.abort();
  const timer = setTimeout(() => {
    expired = true;
    controller.abort();
  }, timeoutMs);
  if (signal?.aborted) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    expired: () => expired,
    clear: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    },
  };
}
