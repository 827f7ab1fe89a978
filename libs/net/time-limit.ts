/**
 * AbortSignal.timeout whose time does come. Node 20 lets the garbage collector have one that is nothing but a part of an AbortSignal.any, and what waits
 * for that then waits for ever; one with a listener of its own it keeps (`time-limit.spec.ts`).
 */
export function timeLimit(timeoutMs: number): AbortSignal {
  const signal = AbortSignal.timeout(timeoutMs);
  signal.addEventListener('abort', () => undefined, { once: true });
  return signal;
}
