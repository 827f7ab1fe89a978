/** How the tests ask; a machine without KVM is asked seldom, and given time: each question costs it more than the work that is waited for. */
export interface Pace {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export const QUICK: Pace = { intervalMs: 300, timeoutMs: 5_000 };
export const SLOW: Pace = { intervalMs: 5_000, timeoutMs: 60_000 };
