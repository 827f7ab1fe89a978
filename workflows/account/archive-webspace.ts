import { startChild } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type { ArchiveWebspaceInput, ArchiveWebspaceResult } from '../../libs/contracts/operations.js';
import { lasting } from '../shared/activities.js';
import { childOptionsOf } from '../shared/operations.js';
import { Operation } from '../shared/step.js';
import { deleteWebspace } from '../webspace/delete-webspace.js';

const LOCK_DEADLINE_MS = 30_000;

/** Keeps what a suspended webspace holds as an image, and then deletes the webspace. Never the second without the first. */
export async function archiveWebspace(input: ArchiveWebspaceInput): Promise<ArchiveWebspaceResult> {
  const { name, operationId, requestedBy } = input;
  const unread: Acting = { kind: 'archive', name, operationId, uid: '' };
  const operation = new Operation();
  const settle = () => lasting(`Settle ${name}`).settle(unread);
  return operation.run(async () => {
    operation.undoBy('settle', `Look last and free the lock of ${name}`, settle);
    const archived = await operation.stepWhenFree('archive', `Pack ${name} into an image`, LOCK_DEADLINE_MS, () =>
      lasting(`Pack ${name} into an image`).archiveInstance(unread),
    );
    operation.commit();
    await operation.step('settle', `Look last and free the lock of ${name}`, settle);
    await operation.step('delete', `Delete ${name}, which is kept as ${archived.alias}`, async () => {
      const child = await startChild(deleteWebspace, {
        ...childOptionsOf({ kind: 'delete', name, owner: archived.owner, operationId, requestedBy }),
        args: [{ name, operationId, requestedBy }],
      });
      await child.result();
    });
    return archived;
  });
}
