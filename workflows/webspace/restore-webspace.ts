import { workflowInfo } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type { RestoreWebspaceInput, StateResult } from '../../libs/contracts/operations.js';
import { lasting, quick, slow } from '../shared/activities.js';
import { Operation } from '../shared/step.js';

const LOCK_DEADLINE_MS = 30_000;

/** Makes `Webspace`, claims and routes again from the record of one instance. Safe at any time; never writes to LXD. */
export async function restoreWebspace({ name }: RestoreWebspaceInput): Promise<StateResult> {
  const unread: Acting = { kind: 'restore', name, operationId: workflowInfo().runId, uid: '' };
  const operation = new Operation();
  return operation.run(async () => {
    operation.undoBy('settle', `Look last and free the lock of ${name}`, () => lasting(`Settle ${name}`).settle(unread));
    const facts = await operation.stepWhenFree('read', `Read the record of ${name}`, LOCK_DEADLINE_MS, () =>
      quick(`Read the record of ${name}`).readForRestore(unread),
    );
    const acting: Acting = { ...unread, uid: facts.uid };
    await operation.step('claims', `Restore the claims of ${name}`, () => slow(`Restore claims of ${name}`).restoreClaims(acting, facts));
    await operation.step('publish', `Publish ${facts.host}`, () => slow(`Publish ${facts.host}`).ensureProjection(acting, facts));
    const { phase } = await operation.step('settle', `Look last and free the lock of ${name}`, () =>
      lasting(`Settle ${name}`).settle(acting),
    );
    return { name, phase };
  });
}
