export interface Latch {
  /** What waits at it goes on when it is opened. */
  readonly opened: Promise<void>;
  open(): void;
}

/** Holds up a double until the test has seen what it wanted to see. */
export function latch(): Latch {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
