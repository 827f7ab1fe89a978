import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { DefaultLogger, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import { WORKFLOW_TYPES } from '#libs/contracts/operations.js';
import { beginningsOf, type RecordedHistory, recordedHistories, secretsIn } from '#libs/testing/histories.js';
import { workflowBundle } from '#libs/testing/workflow-bundle.js';

const root = join(import.meta.dirname, '..');
/** Of a long history so many, spread over it: each is replayed from its first event. */
const BEGINNINGS = 10;
const histories = recordedHistories(join(root, 'workflows/histories'));
let bundle: WorkflowBundle;

const replay = (history: object, workflowId: string) => Worker.runReplayHistory({ workflowBundle: bundle }, history, workflowId);

/** Gives how many were replayed. */
async function replayAll(histories: readonly object[], workflowId: string): Promise<number> {
  let replayed = 0;
  for await (const { error } of Worker.runReplayHistories(
    { workflowBundle: bundle },
    histories.map((history) => ({ workflowId, history })),
  )) {
    if (error) throw error;
    replayed++;
  }
  return replayed;
}

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  bundle = await workflowBundle();
}, 60_000);

describe('recorded histories', () => {
  test('there is one of every workflow', () => {
    const recorded = new Set(histories.map(({ title }) => title.split('/')[0]));
    expect([...recorded].sort()).toEqual(Object.values(WORKFLOW_TYPES).sort());
  });

  test.each(histories)(
    '$title replays, whole and from its beginnings',
    async (recorded: RecordedHistory) => {
      const beginnings = beginningsOf(recorded, BEGINNINGS);
      expect(beginnings.length).toBeGreaterThan(0);
      expect(await replayAll([recorded.history, ...beginnings], recorded.workflowId)).toBe(1 + beginnings.length);
    },
    180_000,
  );

  test('a history that took another way is refused', async () => {
    const recorded = histories.find(({ title }) => title === 'createWebspace/plain');
    const altered = JSON.parse(JSON.stringify(recorded?.history).replaceAll('makeWebspace', 'someOtherActivity')) as object;
    await expect(replay(altered, String(recorded?.workflowId))).rejects.toThrow(/nondeterminism|TMPRL1100/i);
  });
});

describe('secrets', () => {
  test.each(histories)('$title holds none', ({ history }: RecordedHistory) => {
    expect(secretsIn(history)).toEqual([]);
  });

  test.each([
    [
      'an argument',
      'workflowExecutionStartedEventAttributes',
      { input: { payloads: [{ data: Buffer.from('"planted-secret"').toString('base64') }] } },
    ],
    [
      'a memo',
      'workflowExecutionStartedEventAttributes',
      { memo: { fields: { x: { data: Buffer.from('{"p":"$6$salt$abcdefghijkl"}').toString('base64') } } } },
    ],
    ['a failure', 'activityTaskFailedEventAttributes', { failure: { message: 'called with Bearer abcdefghijklmnop1234' } }],
    [
      'a search attribute',
      'workflowExecutionStartedEventAttributes',
      {
        searchAttributes: { indexedFields: { W: { data: Buffer.from('"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIiwiaWF0"').toString('base64') } } },
      },
    ],
  ])('one that is planted in %s is found', (_where, attributes, planted) => {
    const [first] = histories;
    const events = [...(first?.history.events ?? []), { eventType: 'x', [attributes]: planted }];
    expect(secretsIn({ events })).not.toEqual([]);
  });
});
