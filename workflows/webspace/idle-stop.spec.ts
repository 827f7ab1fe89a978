import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { resolveTool } from '#lab/tools/resolve.js';
import type { Acting } from '#libs/contracts/activities.js';
import type { IdleLook, IdleStopResult } from '#libs/contracts/idle-stop.js';
import { exampleFacts, failing, WorkflowRig } from '#libs/testing/workflow-rig.js';

jest.setTimeout(60_000);
let rig: WorkflowRig;
beforeAll(async () => {
  rig = await WorkflowRig.start(await resolveTool('temporal'));
}, 120_000);
afterAll(() => rig.stop());

const look: IdleLook = {
  running: 4,
  used: 2,
  unread: 1,
  idle: [
    { name: 'ws-u1', owner: '1', idleSeconds: 3_660 },
    { name: 'ws-u2', owner: '2', idleSeconds: 90 },
  ],
};

describe('idleStop', () => {
  test('shuts down what nobody uses, each by an operation that says why; one that fails stops no other', async () => {
    const beginStop = async ({ name }: Acting) => (name === 'ws-u1' ? failing('CONFLICT')() : exampleFacts);
    await rig.run<IdleStopResult>('idleStop', {}, { findIdle: async () => look, beginStop }, async ({ result, calls, client }) => {
      expect(await result()).toEqual({ running: 4, used: 2, unread: 1, stopped: 1 });
      expect(calls.filter((name) => name === 'stopInstance')).toHaveLength(1);
      const requesters: unknown[] = [];
      for await (const { memo, type } of client.workflow.list({ query: 'WorkflowType = "shutdownWebspace"' })) {
        requesters.push([type, memo?.['requestedBy']]);
      }
      expect(requesters).toContainEqual(['shutdownWebspace', { subject: 'idle-stop', username: 'idle stop: no traffic for 61 minutes' }]);
      expect(requesters).toContainEqual(['shutdownWebspace', { subject: 'idle-stop', username: 'idle stop: no traffic for 90 seconds' }]);
    });
  });

  test('starts nothing when all are used', async () => {
    await rig.run<IdleStopResult>('idleStop', {}, {}, async ({ result, calls }) => {
      expect(await result()).toEqual({ running: 0, used: 0, unread: 0, stopped: 0 });
      expect(calls).toEqual(['findIdle']);
    });
  });
});
