import { workflowInfo } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import { type BootWebspaceInput, STARTED_UPDATE, type StartedAnswer, type StateResult } from '../../libs/contracts/operations.js';
import { lasting, slow } from '../shared/activities.js';
import { Milestone } from '../shared/milestone.js';
import { Operation } from '../shared/step.js';

/** As long as the gateway may hold a visitor. */
const LOCK_DEADLINE_MS = 60_000;

/** Boots a webspace once for any number of callers: ready when its port answers, or when its start-up time is over. */
export async function bootWebspace({ name }: BootWebspaceInput): Promise<StateResult> {
  const started = new Milestone<StartedAnswer>(STARTED_UPDATE);
  const unread: Acting = { kind: 'boot', name, operationId: workflowInfo().runId, uid: '' };
  const operation = new Operation();
  return started.during(() =>
    operation.run(async () => {
      operation.undoBy('settle', `Look last and free the lock of ${name}`, () => lasting(`Settle ${name}`).settle(unread));
      const facts = await operation.stepWhenFree('start', `Start container ${name}`, LOCK_DEADLINE_MS, () =>
        slow(`Start container ${name}`).startInstance(unread),
      );
      started.reach({ changed: facts.changed, address: facts.address });
      const acting: Acting = { ...unread, uid: facts.uid };
      await operation.step('ready', `Wait for ${facts.address}:${facts.port}`, () =>
        slow(`Wait for ${facts.address}:${facts.port}`).awaitReady(acting, facts),
      );
      const { phase } = await operation.step('settle', `Look last and free the lock of ${name}`, () =>
        lasting(`Settle ${name}`).settle(acting),
      );
      return { name, phase };
    }),
  );
}
