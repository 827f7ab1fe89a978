import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { resolveTool } from '#lab/tools/resolve.js';
import type { AdoptionPlan, AdoptionTotals, AdoptWebspacesInput } from '#libs/contracts/adoption.js';
import { exampleFacts, failing, WorkflowRig } from '#libs/testing/workflow-rig.js';

jest.setTimeout(60_000);
let rig: WorkflowRig;
beforeAll(async () => {
  rig = await WorkflowRig.start(await resolveTool('temporal'));
}, 120_000);
afterAll(() => rig.stop());

const requestedBy = { subject: '3', username: 'admin' };
const input = (operationId: string, dryRun: boolean): AdoptWebspacesInput => ({ operationId, requestedBy, dryRun, after: '' });
const leftovers = { objects: [], command: 'kubectl delete services' };
const planOf = (next: string | undefined, ...names: string[]): AdoptionPlan => ({
  total: 3,
  webspaces: names.map((name) => ({ name, domains: [], ports: [], conflicts: [], warnings: [] })),
  ...(next === undefined ? {} : { next }),
  leftovers,
});

describe('adoptWebspaces', () => {
  test('as a dry run only reads, and tells the plan', async () => {
    const planned = planOf(undefined, 'ws-u1');
    await rig.run<AdoptionPlan>('adoptWebspaces', input('op-1', true), { planAdoption: async () => planned }, async ({ result, calls }) => {
      expect(await result()).toEqual(planned);
      expect(calls).toEqual(['planAdoption']);
    });
  });

  test('converts each under its own lock; one that fails stops no other, and is told with the reason', async () => {
    const activities = {
      planAdoption: async () => planOf(undefined, 'ws-u1', 'ws-u2', 'ws-u3'),
      convertRecord: async (acting: { readonly name: string }) =>
        acting.name === 'ws-u2' ? failing('PROTOCOL', 'it is not JSON')() : { ...exampleFacts, converted: true },
    };
    await rig.run<AdoptionTotals>('adoptWebspaces', input('op-2', false), activities, async ({ result, calls }) => {
      expect(await result()).toEqual({ converted: 2, failed: [{ name: 'ws-u2', code: 'PROTOCOL', message: 'it is not JSON' }] });
      expect(calls.filter((name) => name === 'ensureProjection')).toHaveLength(2);
      // The lock is freed after a failure, too.
      expect(calls.filter((name) => name === 'settle')).toHaveLength(3);
    });
  });

  test('goes on page by page, each in a run of its own, and adds up', async () => {
    const pages = new Map([
      ['', planOf('ws-u1', 'ws-u1')],
      ['ws-u1', planOf('ws-u2', 'ws-u2')],
      ['ws-u2', planOf(undefined, 'ws-u3')],
    ]);
    const planAdoption = async ({ after }: { readonly after: string }) => pages.get(after) as AdoptionPlan;
    await rig.run<AdoptionTotals>('adoptWebspaces', input('op-3', false), { planAdoption }, async ({ result, calls }) => {
      expect(await result()).toEqual({ converted: 3, failed: [] });
      expect(calls.filter((name) => name === 'convertRecord')).toHaveLength(3);
    });
  });

  test('a webspace that is converted already keeps its record, and its objects are made again', async () => {
    const convertRecord = async () => ({ ...exampleFacts, converted: false });
    await rig.run('adoptWebspace', { name: 'ws-u1', operationId: 'op-4' }, { convertRecord }, async ({ result, calls }) => {
      expect(await result()).toMatchObject({ name: 'ws-u1', converted: false });
      expect(calls).toEqual(['convertRecord', 'restoreClaims', 'ensureProjection', 'settle']);
    });
  });
});
