import type { Call } from '#activities/shared/guard.js';
import type { WorkflowRuns } from '#activities/shared/workflow-runs.js';
import type { Acting } from '#libs/contracts/activities.js';
import { clusterLockOf } from '#libs/contracts/upgrades.js';

/** An execution of an activity of an upgrade, as its code sees it, without a workflow around it. */
export function upgradeCall(operationId: string): Call & { readonly waits: string[] } {
  const waits: string[] = [];
  return {
    signal: new AbortController().signal,
    me: { workflowId: `upgrade:${operationId}`, runId: 'run' },
    attempt: 1,
    sinceMs: () => 0,
    waiting: (details) => {
      if (details?.waitingFor !== undefined) waits.push(details.waitingFor);
    },
    waits,
  };
}

export function upgradeActing(cluster: string, operationId: string): Acting {
  return { kind: 'upgrade', name: clusterLockOf(cluster), operationId, uid: '' };
}

/** Every run that holds a lock is open. */
export const OPEN_RUNS = { describe: async () => ({ is: 'open' }) } as unknown as WorkflowRuns;
