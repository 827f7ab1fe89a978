import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import { WORKFLOW_TYPES } from '#libs/contracts/operations.js';
import { prefixesOf, type RecordedHistory, recordedHistories, secretsIn } from '#libs/testing/histories.js';

const root = join(import.meta.dirname, '..');
const histories = recordedHistories(join(root, 'workflows/histories'));
let workflowBundle: WorkflowBundle;

const replay = (history: object, workflowId: string) => Worker.runReplayHistory({ workflowBundle }, history, workflowId);

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  workflowBundle = await bundleWorkflowCode({ workflowsPath: join(root, 'workflows/index.ts'), logger: new DefaultLogger('ERROR') });
}, 60_000);

describe('recorded histories', () => {
  test('there is one of every workflow', () => {
    const recorded = new Set(histories.map(({ title }) => title.split('/')[0]));
    expect([...recorded].sort()).toEqual(Object.values(WORKFLOW_TYPES).sort());
  });

  test.each(histories)(
    '$title replays, whole and from every beginning',
    async (recorded: RecordedHistory) => {
      await replay(recorded.history, recorded.workflowId);
      const prefixes = prefixesOf(recorded);
      expect(prefixes.length).toBeGreaterThan(0);
      for (const prefix of prefixes) await replay(prefix, recorded.workflowId);
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
