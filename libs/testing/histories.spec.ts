import { describe, expect, test } from '@jest/globals';
import { beginningsOf } from './histories.js';

const STARTED = 'EVENT_TYPE_WORKFLOW_TASK_STARTED';
/** Each task is two events, the second of which is where a worker gets it. */
const historyOf = (tasks: number) => ({
  title: 'x',
  workflowId: 'x',
  history: { events: Array.from({ length: 2 * tasks }, (_, i) => ({ eventType: i % 2 === 1 ? STARTED : 'other' })) },
});
const endsOf = (tasks: number, most: number) => beginningsOf(historyOf(tasks), most).map(({ events }) => events.length / 2);

describe('the beginnings of a history', () => {
  test.each([1, 2, 9, 10])('are all of them where there are %d of at most ten', (tasks) => {
    expect(endsOf(tasks, 10)).toEqual(Array.from({ length: tasks }, (_, i) => i + 1));
  });

  test.each([11, 12, 46])('are ten of %d, spread from the first to the last', (tasks) => {
    const ends = endsOf(tasks, 10);
    expect([ends.length, ends[0], ends.at(-1)]).toEqual([10, 1, tasks]);
    const steps = ends.slice(1).map((end, i) => end - (ends[i] ?? 0));
    expect(Math.max(...steps) - Math.min(...steps)).toBeLessThanOrEqual(1);
  });

  test('end where a worker gets a task', () => {
    for (const { events } of beginningsOf(historyOf(30), 10)) expect(events.at(-1)?.eventType).toBe(STARTED);
  });
});
