import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ChildWorkflowFailure, ParentClosePolicy, startChild, WorkflowIdReusePolicy, workflowInfo } from '@temporalio/workflow';
import type { Comparison } from '../../libs/contracts/activities.js';
import { workflowIdOf } from '../../libs/contracts/ids.js';
import type { OperationKind, SweepResult } from '../../libs/contracts/operations.js';
import { slow } from '../shared/activities.js';
import { inTurns } from '../shared/operations.js';
import { Operation } from '../shared/step.js';
import { deleteWebspace } from './delete-webspace.js';
import { reconcileWebspace } from './reconcile-webspace.js';
import { restoreWebspace } from './restore-webspace.js';

/** After the third comparison the rest is left to the next sweep. */
const MAX_COMPARISONS = 3;

/** Compares all of LXD with all of Kubernetes and starts the operations that repair the differences. */
export async function sweep(): Promise<SweepResult> {
  const operation = new Operation();
  return operation.run(async () => {
    const total = { reconciled: 0, restored: 0, removed: 0 };
    for (let round = 1; ; round++) {
      const comparison = await operation.step('compare', `Comparison ${round}`, () => slow('Compare LXD with Kubernetes').compareAll());
      total.removed += comparison.removed;
      const repairs = repairsOf(comparison);
      if (repairs.length > 0) await operation.step('repair', `${repairs.length} webspaces`, () => inTurns(repairs, repair));
      total.reconciled += comparison.toReconcile.length;
      total.restored += comparison.toRestore.length;
      const settled = comparison.toRestore.length === 0;
      if (settled && comparison.complete && !comparison.claimsOpen) {
        await operation.step('open-claims', 'All claims are restored: new ones may be made', () => slow('Open claims').openClaims());
      }
      if (settled || comparison.claimsOpen || round === MAX_COMPARISONS) {
        return { ...total, instances: comparison.instances, refusals: comparison.refusals };
      }
    }
  });
}

interface Repair {
  readonly kind: OperationKind;
  readonly name: string;
}

function repairsOf(comparison: Comparison): Repair[] {
  return [
    ...comparison.toDelete.map((name) => ({ kind: 'delete', name }) as const),
    ...comparison.toRestore.map((name) => ({ kind: 'restore', name }) as const),
    ...comparison.toReconcile.map((name) => ({ kind: 'reconcile', name }) as const),
  ];
}

/** One that fails is in Temporal UI and comes back at the next sweep. */
async function repair({ kind, name }: Repair): Promise<void> {
  const operationId = `sweep-${workflowInfo().runId}`;
  const options = {
    workflowId: workflowIdOf(kind, name, operationId),
    parentClosePolicy: ParentClosePolicy.ABANDON,
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    staticSummary: `${kind} ${name}, asked by sweep`,
  };
  const requestedBy = { subject: 'sweep', username: 'sweep' };
  try {
    const child =
      kind === 'delete'
        ? await startChild(deleteWebspace, { ...options, args: [{ name, operationId, requestedBy }] })
        : kind === 'restore'
          ? await startChild(restoreWebspace, { ...options, args: [{ name, reason: 'sweep' }] })
          : await startChild(reconcileWebspace, { ...options, args: [{ name, reason: 'sweep' }] });
    await child.result();
  } catch (error) {
    // Running already: as good as ours. Failed: seen in Temporal UI, and the next sweep finds the difference again.
    if (error instanceof WorkflowExecutionAlreadyStartedError || error instanceof ChildWorkflowFailure) return;
    throw error;
  }
}
