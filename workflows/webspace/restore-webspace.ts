import { workflowInfo } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type { RestoreWebspaceInput, StateResult } from '../../libs/contracts/operations.js';
import { lasting, quick } from '../shared/activities.js';
import { Operation } from '../shared/step.js';
import { rebuild } from './rebuild.js';

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
    const phase = await rebuild(operation, acting, facts);
    return { name, phase };
  });
}
