import { CancellationScope } from '@temporalio/workflow';
import type { Acting, WebspaceFacts } from '../../libs/contracts/activities.js';
import { CREATED_UPDATE, type CreateWebspaceInput, type CreateWebspaceResult } from '../../libs/contracts/operations.js';
import { lasting, slow } from '../shared/activities.js';
import { Milestone } from '../shared/milestone.js';
import { Operation } from '../shared/step.js';

const LOCK_DEADLINE_MS = 30_000;

/** Makes a webspace, or leaves nothing: every step is undone in reverse when a later one fails or the operation is cancelled. */
export async function createWebspace(input: CreateWebspaceInput): Promise<CreateWebspaceResult> {
  const { name, uid, operationId } = input;
  const acting: Acting = { kind: 'create', name, operationId, uid };
  const created = new Milestone<CreateWebspaceResult>(CREATED_UPDATE);
  const operation = new Operation();
  return created.during(() =>
    operation.run(async () => {
      operation.undoBy('release', `Free the lock of ${name}`, () => lasting(`Free the lock of ${name}`).releaseLock(acting, 'tombstone'));
      operation.undoBy('remove-objects', `Remove objects and claims of ${name}`, () =>
        lasting(`Remove objects and claims of ${name}`).removeObjects(acting),
      );
      operation.undoBy('remove-instance', `Remove instance ${name}`, () => lasting(`Remove instance ${name}`).removeInstance(acting));
      const facts = await operation.stepWhenFree('make', `Make ${name} from ${input.image}, and publish it`, LOCK_DEADLINE_MS, () =>
        slow(`Claim names for ${name}, make its container, publish it`).makeWebspace(input),
      );
      if (input.boot) await bootStep(operation, acting, facts);
      operation.commit();
      const result = { name, uid, address: facts.address, host: facts.host, fingerprint: facts.fingerprint };
      created.reach(result);
      // The webspace is there: a cancellation comes too late, and the lock has to be freed.
      await CancellationScope.nonCancellable(() =>
        operation.step('settle', `Look last and free the lock of ${name}`, () => lasting(`Settle ${name}`).settle(acting)),
      );
      return result;
    }),
  );
}

async function bootStep(operation: Operation, acting: Acting, facts: WebspaceFacts): Promise<void> {
  await operation.stepWhenFree('start', `Start container ${acting.name}`, LOCK_DEADLINE_MS, () =>
    slow(`Start container ${acting.name}`).startInstance(acting),
  );
  await operation.step('ready', `Wait for ${facts.address}:${facts.port}`, () =>
    slow(`Wait for ${facts.address}:${facts.port}`).awaitReady(acting, facts),
  );
}
