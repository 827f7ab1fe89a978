import { patched, sleep, workflowInfo } from '@temporalio/workflow';
import type { IdleWebspace } from '../../libs/contracts/idle-stop.js';
import { MEMORY_STOP, type MemoryStopResult } from '../../libs/contracts/memory-stop.js';
import { quick } from '../shared/activities.js';
import { inTurns, runOperation } from '../shared/operations.js';
import { Operation } from '../shared/step.js';

/** A member looks every five seconds, and takes its word back. Before that the next round would stop another webspace for what is over. */
const LOOKS_ANEW_MS = 10_000;

/** On each member whose memory is short, shuts down the webspace that was not used for the longest time, by an operation of its own: the next visit boots it. */
export async function memoryStop(): Promise<MemoryStopResult> {
  const operation = new Operation();
  return operation.run(async () => {
    const found = await operation.step('look', 'Look which members are short of memory', () =>
      quick('Look which members are short of memory').findShortOfMemory(),
    );
    const short = found.map(({ member }) => member);
    if (found.every(({ webspace }) => webspace === undefined)) return { short, stopped: 0 };
    const stopped = await operation.step('stop', `One webspace on each of ${short.join(', ')}`, async () => {
      let done = 0;
      await inTurns(found, async ({ member, webspace }) => {
        if (webspace && (await stop(member, webspace))) done++;
      });
      return done;
    });
    if (stopped > 0 && patched('members-look-anew')) await sleep(LOOKS_ANEW_MS);
    return { short, stopped };
  });
}

/** One that fails is in Temporal UI, and comes back at the next round. */
function stop(member: string, { name, owner, idleSeconds }: IdleWebspace): Promise<boolean> {
  const operationId = `memory-${workflowInfo().runId}`;
  const requestedBy = {
    subject: MEMORY_STOP,
    username: `memory of ${member} is short: not used for ${Math.floor(idleSeconds / 60)} minutes`,
  };
  return runOperation({ kind: 'shutdown', name, owner, operationId, requestedBy }, { name, operationId, requestedBy });
}
