import { expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import type { RunPlan, RunView } from '#libs/contracts/upgrades.js';
import { runOrders } from './run-orders.js';

type View = RunView<RunPlan, unknown>;

/** A run whose query is answered by these, the last one again and again. */
function run(...answers: readonly (Partial<View> | Error)[]) {
  let asked = 0;
  const query = async () => {
    const answer = answers[Math.min(asked++, answers.length - 1)];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { handle: { query } as unknown as WorkflowHandle };
}

const patience = { timeoutMs: 200, intervalMs: 5 };
const orders = runOrders<View>('view', patience);

test('a query that fails just after the start is asked again', async () => {
  const starting = run(new Error('not found'), { phase: 'planning' }, { phase: 'awaiting-approval' });
  expect(await orders.reaches(starting, 'awaiting-approval')).toEqual({ phase: 'awaiting-approval' });
});

test('what was seen last, and why the last query failed, are said after the deadline', async () => {
  const lost = run({ phase: 'planning' }, new Error('the worker is gone'));
  await expect(orders.reaches(lost, 'finished')).rejects.toThrow(/^not finished, but planning: .*the worker is gone$/);
  const silent = run(new Error('away'));
  await expect(orders.reaches(silent, 'finished')).rejects.toThrow(/^not finished, but without an answer: .*away$/);
});
