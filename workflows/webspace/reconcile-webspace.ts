import { condition, defineSignal, setHandler } from '@temporalio/workflow';
import { LOOK_AGAIN_SIGNAL, type ReconcileWebspaceInput } from '../../libs/contracts/operations.js';
import { slow } from '../shared/activities.js';
import { Operation } from '../shared/step.js';

export const lookAgainSignal = defineSignal(LOOK_AGAIN_SIGNAL);

/** More than this in one run means that something keeps changing: the next sweep goes on. */
const MAX_ROUNDS = 20;

/** Makes the objects of one webspace say what LXD says. A signal while it runs means one more round, whatever the signal's cause. */
export async function reconcileWebspace({ name }: ReconcileWebspaceInput): Promise<{ name: string; outcome: string }> {
  // The signal that started this run (signal-with-start) asks for the first round.
  let look = true;
  setHandler(lookAgainSignal, () => {
    look = true;
  });
  await condition(() => look);
  const operation = new Operation();
  return operation.run(async () => {
    let outcome = 'nothing';
    for (let round = 1; look && round <= MAX_ROUNDS; round++) {
      look = false;
      const result = await operation.step('reconcile', `Round ${round} for ${name}`, () => slow(`Reconcile ${name}`).reconcile(name));
      outcome = result.outcome;
      look ||= result.again;
    }
    return { name, outcome };
  });
}
