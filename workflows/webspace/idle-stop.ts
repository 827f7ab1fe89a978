import { workflowInfo } from '@temporalio/workflow';
import { IDLE_STOP, type IdleStopResult, type IdleWebspace } from '../../libs/contracts/idle-stop.js';
import { quick } from '../shared/activities.js';
import { inTurns, runOperation } from '../shared/operations.js';
import { Operation } from '../shared/step.js';

/** Looks which webspaces nobody uses, and shuts each down by an operation of its own: the next visit boots it. */
export async function idleStop(): Promise<IdleStopResult> {
  const operation = new Operation();
  return operation.run(async () => {
    const { idle, ...counts } = await operation.step('look', 'Look which webspaces were used', () =>
      quick('Look which webspaces were used').findIdle(),
    );
    if (idle.length === 0) return { ...counts, stopped: 0 };
    const stopped = await operation.step('stop', `${idle.length} webspaces that nobody uses`, async () => {
      let done = 0;
      await inTurns(idle, async (webspace) => {
        if (await stop(webspace)) done++;
      });
      return done;
    });
    return { ...counts, stopped };
  });
}

/** One that fails is in Temporal UI, and comes back at the next round. */
function stop({ name, owner, idleSeconds }: IdleWebspace): Promise<boolean> {
  const operationId = `idle-${workflowInfo().runId}`;
  const requestedBy = { subject: IDLE_STOP, username: `idle stop: no traffic for ${textOf(idleSeconds)}` };
  return runOperation({ kind: 'shutdown', name, owner, operationId, requestedBy }, { name, operationId, requestedBy });
}

function textOf(seconds: number): string {
  return seconds < 120 ? `${seconds} seconds` : `${Math.floor(seconds / 60)} minutes`;
}
