import { CancellationScope, condition, isCancellation, patched } from '@temporalio/workflow';

/** Runs it until it ends or `stop` holds; then it is cancelled, and what it gives all the same counts. */
export async function interruptible<T>(run: () => Promise<T>, stop: () => boolean): Promise<T | 'stopped'> {
  const scope = new CancellationScope();
  let ended = false;
  const running = scope.run(run).finally(() => {
    ended = true;
  });
  // It is awaited below in any case; until then nobody shall call it unhandled.
  running.catch(() => undefined);
  try {
    await condition(() => ended || stop());
  } catch (error) {
    // The workflow is cancelled, and the scope with it: what runs may act until it has ended.
    if (patched('a-cancellation-waits-for-what-runs')) await running.catch(() => undefined);
    throw error;
  }
  if (!ended) scope.cancel();
  try {
    return await running;
  } catch (error) {
    if (stop() && isCancellation(error)) return 'stopped';
    throw error;
  }
}
