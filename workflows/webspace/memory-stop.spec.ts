import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { resolveTool } from '#lab/tools/resolve.js';
import type { Acting } from '#libs/contracts/activities.js';
import type { MemoryStopResult } from '#libs/contracts/memory-stop.js';
import { exampleFacts, failing, WorkflowRig } from '#libs/testing/workflow-rig.js';

jest.setTimeout(60_000);
let rig: WorkflowRig;
beforeAll(async () => {
  rig = await WorkflowRig.start(await resolveTool('temporal'));
}, 120_000);
afterAll(() => rig.stop());

const found = [
  { member: 'lxd-0', webspace: { name: 'ws-u1', owner: '1', idleSeconds: 3_660 } },
  { member: 'lxd-1' },
  { member: 'lxd-2', webspace: { name: 'ws-u2', owner: '2', idleSeconds: 30 } },
];

describe('79: memoryStop', () => {
  test('shuts one webspace down on each member whose memory is short, by an operation that its owner sees; one that fails stops no other', async () => {
    const begun = Date.now();
    const beginStop = async ({ name }: Acting) => (name === 'ws-u1' ? failing('CONFLICT')() : exampleFacts);
    await rig.run<MemoryStopResult>(
      'memoryStop',
      {},
      { findShortOfMemory: async () => found, beginStop },
      async ({ result, calls, client }) => {
        expect(await result()).toEqual({ short: ['lxd-0', 'lxd-1', 'lxd-2'], stopped: 1 });
        // The next round, which begins when this one has ended, finds what the members have seen since.
        expect(Date.now() - begun).toBeGreaterThanOrEqual(10_000);
        expect(calls.filter((name) => name === 'stopInstance')).toHaveLength(1);
        const requesters: unknown[] = [];
        for await (const { memo } of client.workflow.list({ query: 'WorkflowType = "shutdownWebspace"' }))
          requesters.push(memo?.['requestedBy']);
        expect(requesters).toContainEqual({ subject: 'memory-stop', username: 'memory of lxd-0 is short: not used for 61 minutes' });
        expect(requesters).toContainEqual({ subject: 'memory-stop', username: 'memory of lxd-2 is short: not used for 0 minutes' });
      },
    );
  });

  test('starts nothing when no member is short of memory, or none has anything that may be stopped', async () => {
    await rig.run<MemoryStopResult>('memoryStop', {}, {}, async ({ result, calls }) => {
      expect(await result()).toEqual({ short: [], stopped: 0 });
      expect(calls).toEqual(['findShortOfMemory']);
    });
    await rig.run<MemoryStopResult>(
      'memoryStop',
      {},
      { findShortOfMemory: async () => [{ member: 'lxd-1' }] },
      async ({ result, calls }) => {
        expect(await result()).toEqual({ short: ['lxd-1'], stopped: 0 });
        expect(calls).toEqual(['findShortOfMemory']);
      },
    );
  });
});
