/** Two clocks, in milliseconds. Only `wall` can be set, and only it can be compared with what others wrote. */
export interface Clock {
  readonly wall: () => number;
  readonly steady: () => number;
}

export const systemClock: Clock = { wall: Date.now, steady: () => performance.now() };
