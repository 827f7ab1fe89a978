import { allHandlersFinished, CancellationScope, condition, defineUpdate, setHandler } from '@temporalio/workflow';

/** A point of a workflow that callers wait for by an Update, before the workflow itself ends. */
export class Milestone<T> {
  #reached: { readonly value: T } | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** Registers the Update; to be made before the workflow's first await. */
  constructor(update: string) {
    setHandler(defineUpdate<T>(update), async () => {
      await condition(() => this.#reached !== undefined || this.#failure !== undefined);
      if (this.#reached) return this.#reached.value;
      throw this.#failure?.error;
    });
  }

  reach(value: T): void {
    this.#reached = { value };
  }

  /** Runs the workflow's body; everybody who waits is answered before the workflow closes. */
  async during<R>(body: () => Promise<R>): Promise<R> {
    try {
      const result = await body();
      await answered();
      return result;
    } catch (error) {
      this.#failure = { error };
      await answered();
      throw error;
    }
  }
}

/** Also when the workflow is cancelled: who waits is owed an answer. */
function answered(): Promise<void> {
  return CancellationScope.nonCancellable(() => condition(allHandlersFinished));
}
