import { CancellationScope } from '@temporalio/workflow';
import type { Acting, WebspaceFacts } from '../../libs/contracts/activities.js';
import {
  CREATED_UPDATE,
  type CreateWebspaceInput,
  type CreateWebspaceResult,
  type CreationExtras,
} from '../../libs/contracts/operations.js';
import { lasting, quick, slow } from '../shared/activities.js';
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
      if (input.extras) await extraSteps(operation, acting, input.extras);
      if (input.boot) await bootStep(operation, acting, facts);
      operation.commit();
      const { address, host, fingerprint, ports } = facts;
      const result = { name, uid, address, host, fingerprint, ...(ports ? { ports } : {}) };
      created.reach(result);
      // The webspace is there: a cancellation comes too late, and the lock has to be freed.
      await CancellationScope.nonCancellable(() =>
        operation.step('settle', `Look last and free the lock of ${name}`, () => lasting(`Settle ${name}`).settle(acting)),
      );
      return result;
    }),
  );
}

async function extraSteps(operation: Operation, acting: Acting, { passwordHash, sshKey }: CreationExtras): Promise<void> {
  const { name } = acting;
  if (passwordHash !== undefined) {
    await operation.step('password', `Set the root password of ${name}`, () =>
      quick(`Set the root password of ${name}`).setRootPassword(acting, passwordHash),
    );
  }
  if (sshKey !== undefined) {
    await operation.step('key', `Let the account's SSH key into ${name}`, () =>
      quick(`Write authorized_keys of ${name}`).authorizeKey(acting, sshKey),
    );
    await operation.step('ssh', `Install an SSH server in ${name}, if it has none`, () =>
      slow(`Install an SSH server in ${name}`).installSsh(acting),
    );
  }
  await operation.step('finish', `Say that ${name} is ready`, () => quick(`Say that ${name} is ready`).finishCreation(acting));
}

async function bootStep(operation: Operation, acting: Acting, facts: WebspaceFacts): Promise<void> {
  await operation.stepWhenFree('start', `Start container ${acting.name}`, LOCK_DEADLINE_MS, () =>
    slow(`Start container ${acting.name}`).startInstance(acting),
  );
  await operation.step('ready', `Wait for ${facts.address}:${facts.port}`, () =>
    slow(`Wait for ${facts.address}:${facts.port}`).awaitReady(acting, facts),
  );
}
