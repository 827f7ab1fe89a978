import { TASK_QUEUE } from '#libs/contracts/ids.js';
import { LOOK_SECONDS } from '#libs/contracts/upgrades.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { LookRequest } from './operations.js';
import type { RunUntilTools } from './run-until.js';

/** Starts a workflow that only looks, or joins the one that is looking, and waits for what it sees. */
export async function runLook<T>(
  { client, call, callTimeoutMs, result }: Pick<RunUntilTools, 'client' | 'call' | 'callTimeoutMs' | 'result'>,
  { workflow, workflowId, args, summary, timeoutMs }: LookRequest,
): Promise<T> {
  const started = await call('start', callTimeoutMs, () =>
    client.workflow.start(workflow, {
      workflowId,
      taskQueue: TASK_QUEUE,
      args: [...args],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowExecutionTimeout: LOOK_SECONDS * 1000,
      staticSummary: summary,
    }),
  );
  const seen = await result<T>({ id: workflowId, workflowId, runId: started.firstExecutionRunId }, { timeoutMs });
  if (seen.status === 'completed') return seen.result;
  throw new PlatformError('UNAVAILABLE', 'No worker has answered in time: none runs, or what it looks at is slow.', {
    details: { retryAfterMs: 3000 },
  });
}
