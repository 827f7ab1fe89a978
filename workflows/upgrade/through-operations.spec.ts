import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Worker } from '@temporalio/worker';
import { guarded } from '#activities/shared/guard.js';
import { resolveTool } from '#lab/tools/resolve.js';
import { waitFor } from '#lab/wait.js';
import { TASK_QUEUE } from '#libs/contracts/ids.js';
import {
  CLUSTER_LOOKS,
  clusterLockOf,
  UPGRADE_QUERY,
  type UpgradeAnswer,
  type UpgradeInput,
  type UpgradePhase,
  type UpgradeView,
} from '#libs/contracts/upgrades.js';
import { desiredOf, REBUILT, simulationOf } from '#libs/domain/upgrade/narrations/scenarios.js';
import type { ObservedCluster } from '#libs/domain/upgrade/observed.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { createOperations } from '#libs/temporal/create-operations.js';
import type { Operations } from '#libs/temporal/operations.js';
import { UpgradeWorld } from '#libs/testing/upgrade-world.js';
import { WorkflowRig } from '#libs/testing/workflow-rig.js';

jest.setTimeout(90_000);
const ALICE = { subject: '1', username: 'alice' };
const LIMITS = { timeoutMs: 20_000 };

let rig: WorkflowRig;
let operations: Operations;
let worker: Worker;
let running: Promise<void>;
let looks = 0;
beforeAll(async () => {
  rig = await WorkflowRig.start(await resolveTool('temporal'));
  const { client, connection, nativeConnection } = rig.environment;
  operations = createOperations({ client, connection, uiUrl: 'http://ui.test', callTimeoutMs: 10_000, queryTimeoutMs: 10_000 });
  const world = new UpgradeWorld(simulationOf(3), desiredOf(REBUILT));
  const activities = {
    ...world.activities(),
    listClusters: async () => ['lab'],
    observeCluster: guarded(async (_call, _acting: object, cluster: string): Promise<ObservedCluster> => {
      looks++;
      if (cluster !== 'lab') throw new PlatformError('NOT_FOUND', `No cluster ${cluster} is configured.`);
      return world.simulation.observe();
    }),
  };
  worker = await Worker.create({ connection: nativeConnection, taskQueue: TASK_QUEUE, workflowBundle: rig.bundle, activities });
  running = worker.run();
}, 120_000);
afterAll(async () => {
  worker.shutdown();
  await running;
  await rig.stop();
});

async function begun(operationId: string): Promise<string> {
  const name = clusterLockOf('lab');
  const input: UpgradeInput = { name, cluster: 'lab', operationId, requestedBy: ALICE, image: REBUILT.image };
  const request = { kind: 'upgrade', name, operationId, input, requestedBy: ALICE, owner: name, summary: 'upgrade lab' } as const;
  const { id } = await operations.start(request);
  return id;
}

async function reaches(id: string, phase: UpgradePhase): Promise<UpgradeView> {
  const view = () => operations.query<UpgradeView>(id, UPGRADE_QUERY);
  await waitFor(`the upgrade to be ${phase}`, async () => (await view()).phase === phase, { timeoutMs: 30_000, intervalMs: 50 });
  return view();
}

describe('an upgrade by the port of the API', () => {
  test('that fails leaves its report in the details of its error', async () => {
    const id = await begun('op-2');
    await reaches(id, 'awaiting-approval');
    await operations.update(id, { update: 'abort', argument: { by: ALICE } });
    await expect(operations.result({ id, workflowId: id }, LIMITS)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'Aborted before anything was changed.',
      details: { report: { phase: 'ended', cluster: 'lab' } },
    });
  });

  test('whose update is not answered in time is not known to be refused', async () => {
    const id = await begun('op-3');
    const { plans } = await reaches(id, 'awaiting-approval');
    const order = { update: 'approve', argument: { by: ALICE, hash: plans[0]?.hash }, timeoutMs: 1 };
    expect(await operations.update(id, order)).toEqual({ status: 'running', id });
    await operations.update(id, { update: 'abort', argument: { by: ALICE } });
    await expect(operations.result({ id, workflowId: id }, LIMITS)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  // The last of them: afterwards there is nothing to upgrade any more.
  test('is ordered, refused in its own words, looked at, and ends with its report', async () => {
    const id = await begun('op-1');
    const { plans } = await reaches(id, 'awaiting-approval');
    const refused = operations.update(id, { update: 'approve', argument: { by: ALICE, hash: 'stale' } });
    await expect(refused).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('No plan has the hash "stale"') });
    const order = { update: 'approve', argument: { by: ALICE, hash: plans[0]?.hash }, timeoutMs: 20_000 };
    expect(await operations.update<UpgradeAnswer>(id, order)).toMatchObject({
      status: 'completed',
      result: { answer: 'Approved: the rolling plan begins.' },
    });
    expect(await operations.result({ id, workflowId: id }, { timeoutMs: 60_000 })).toMatchObject({ result: { phase: 'finished' } });
    expect(await operations.get(id)).toMatchObject({ kind: 'upgrade', webspace: 'cluster-lab', status: 'completed', waits: [] });
  });

  test('that is not there is NOT_FOUND', async () => {
    const id = 'upgrade:cluster-lab:none';
    await expect(operations.query(id, UPGRADE_QUERY)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(operations.update(id, { update: 'pause', argument: { by: ALICE } })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('a look at a cluster', () => {
  const look = (cluster: string) => {
    const { workflow, id } = CLUSTER_LOOKS.one;
    return operations.look<ObservedCluster>({ workflow, workflowId: id(cluster), args: [cluster], summary: 'look', ...LIMITS });
  };

  test('tells what a worker sees, and is shared by those who ask at the same time', async () => {
    looks = 0;
    const seen = await Promise.all([look('lab'), look('lab'), look('lab')]);
    for (const { members } of seen) expect(members.map(({ name }) => name)).toEqual(['lxd-0', 'lxd-1', 'lxd-2']);
    expect(looks).toBeLessThan(3);
    const { workflow, id } = CLUSTER_LOOKS.list;
    expect(await operations.look({ workflow, workflowId: id(), args: [], summary: 'list', ...LIMITS })).toEqual(['lab']);
  });

  test('fails with the error of the worker, and is no operation', async () => {
    await expect(look('none')).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'No cluster none is configured.' });
    await expect(operations.get('look:none:x')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
