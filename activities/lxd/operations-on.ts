import { isPlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient, LxdOperation } from '#libs/lxd/client.js';
import type { Call } from '../shared/guard.js';

/** Waits for an operation, leaving its id in the heartbeat so that a retry and Temporal UI can name it. */
export async function waitFor(call: Call, operation: LxdOperation, what: string): Promise<void> {
  const onSlice = () => call.waiting({ waitingFor: `LXD: ${what}`, lxdOperation: operation.id });
  onSlice();
  try {
    await operation.wait({ signal: call.signal, onSlice });
  } finally {
    call.waiting(undefined);
  }
}

/**
 * What LXD is doing to the instance of that name, whoever began it. Commands and consoles do nothing to it; LXD 5.0 keeps some of them
 * "running" for ever, also of an instance that is gone.
 */
export async function changesUnderWay(lxd: LxdClient, name: string, signal: AbortSignal) {
  const running = await lxd.operations.running({ instance: name }, { signal });
  return running.filter(({ description }) => !/console|executing command|shell/i.test(description));
}

/**
 * Waits until LXD works on nothing of that name any more, whoever began it. How such an operation ended is not asked: the caller reads
 * the instance afterwards.
 */
export async function waitForOperationsOn(call: Call, lxd: LxdClient, name: string): Promise<void> {
  for (;;) {
    const tasks = await changesUnderWay(lxd, name, call.signal);
    if (tasks.length === 0) return;
    for (const task of tasks) {
      try {
        await waitFor(call, lxd.operations.adopt(task.id), task.description);
      } catch (error) {
        if (call.signal.aborted || isPlatformError(error, 'UNAVAILABLE')) {
          if (isPlatformError(error) && error.details['lost'] === true) continue;
          throw error;
        }
      }
    }
  }
}
