import { CancellationScope } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type { DeleteWebspaceInput, DeleteWebspaceResult } from '../../libs/contracts/operations.js';
import { lasting, quick } from '../shared/activities.js';
import { Operation } from '../shared/step.js';

/**
 * Delete wins: it marks the uid as deleted where every other operation looks, ends the one that holds the lock, and takes over its undo.
 * Once begun it goes to its end; a cancellation changes nothing.
 */
export async function deleteWebspace(input: DeleteWebspaceInput): Promise<DeleteWebspaceResult> {
  const { name, operationId } = input;
  const operation = new Operation();
  return CancellationScope.nonCancellable(() =>
    operation.run(async () => {
      const unread: Acting = { kind: 'delete', name, operationId, uid: '' };
      const marked = await operation.step('mark', `Mark ${name} as deleted`, () => quick(`Mark ${name} as deleted`).markDeleted(unread));
      const acting: Acting = { ...unread, uid: marked.uid };
      await operation.step('take-over', `End other operations on ${name}`, () => lasting(`Take over the lock of ${name}`).takeOver(acting));
      await operation.step('remove-instance', `Take ${name} off the web and remove its container`, () =>
        lasting(`Remove instance ${name}`).removeInstance(acting),
      );
      await operation.step('remove-objects', `Remove objects and claims of ${name}`, () =>
        lasting(`Remove objects and claims of ${name}`).removeObjects(acting),
      );
      await operation.step('release', `Free the lock of ${name}`, () =>
        lasting(`Free the lock of ${name}`).releaseLock(acting, 'tombstone'),
      );
      return { name, uid: marked.uid };
    }),
  );
}
