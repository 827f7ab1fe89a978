import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import { resolveTool } from '#lab/tools/resolve.js';
import { waitFor } from '#lab/wait.js';
import type { UpgradeActivities } from '#libs/contracts/upgrade-activities.js';
import {
  clusterLockOf,
  UPGRADE_QUERY,
  type UpgradeAnswer,
  type UpgradeInput,
  type UpgradeReport,
  type UpgradeView,
} from '#libs/contracts/upgrades.js';
import { desiredOf, REBUILT, simulationOf } from '#libs/domain/upgrade/narrations/scenarios.js';
import { UpgradeWorld } from '#libs/testing/upgrade-world.js';

jest.setTimeout(120_000);
const DAY_MS = 24 * 3_600_000;
const BOB = { subject: '2', username: 'bob' };
const input: UpgradeInput = {
  name: clusterLockOf('lab'),
  cluster: 'lab',
  operationId: 'op-1',
  requestedBy: { subject: '1', username: 'alice' },
  image: REBUILT.image,
};

let environment: TestWorkflowEnvironment;
let workflowBundle: WorkflowBundle;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const path = await resolveTool('temporalTestServer');
  [environment, workflowBundle] = await Promise.all([
    TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } }),
    bundleWorkflowCode({ workflowsPath: join(import.meta.dirname, '../index.ts'), logger: new DefaultLogger('ERROR') }),
  ]);
}, 120_000);
afterAll(() => environment.teardown());

const workerOf = (taskQueue: string, buildId: string, activities: UpgradeActivities) =>
  Worker.create({
    connection: environment.nativeConnection,
    taskQueue,
    workflowBundle,
    identity: buildId,
    activities,
    // Without a cache there is no queue of the first worker's own that the test server would wait for.
    maxCachedWorkflows: 0,
  });

async function started(taskQueue: string) {
  const handle = await environment.client.workflow.start('upgradeLxd8s', { taskQueue, workflowId: taskQueue, args: [input] });
  const view = () => handle.query<UpgradeView>(UPGRADE_QUERY);
  const reaches = async (phase: UpgradeView['phase']) => {
    await waitFor(`the upgrade to be ${phase}`, async () => (await view()).phase === phase, { timeoutMs: 30_000, intervalMs: 50 });
    return view();
  };
  const order = (name: string, argument: object) => handle.executeUpdate<UpgradeAnswer, [object]>(name, { args: [argument] });
  return { handle, view, reaches, order };
}

const daysIn = async (environment: TestWorkflowEnvironment, from: number) => ((await environment.currentTimeMs()) - from) / DAY_MS;

test('paused for thirty days and resumed by somebody else on another worker, it finishes', async () => {
  const world = new UpgradeWorld(simulationOf(3), desiredOf(REBUILT, { probes: 'template' }), { standSeconds: 90 * 86_400 });
  const first = await workerOf('long-pause', 'before', world.activities());
  const began = await environment.currentTimeMs();
  const run = await first.runUntil(async () => {
    const run = await started('long-pause');
    const { plans } = await run.reaches('awaiting-approval');
    await run.order('approve', { by: BOB, hash: plans[0]?.hash });
    await run.order('pause', { by: BOB, reason: 'holidays' });
    await run.reaches('paused');
    return run;
  });
  await environment.sleep(30 * DAY_MS);
  expect(await daysIn(environment, began)).toBeGreaterThanOrEqual(30);
  const second = await workerOf('long-pause', 'after', world.activities());
  await second.runUntil(async () => {
    expect(await run.view()).toMatchObject({ phase: 'paused' });
    await run.order('resume', { by: { subject: '3', username: 'carol' } });
    const report = (await run.handle.result()) as UpgradeReport;
    expect(report).toMatchObject({ phase: 'finished' });
    expect(report.audit.map(({ did, by }) => `${did} ${by.username}`)).toEqual([
      'requested alice',
      'approve bob',
      'pause bob',
      'resume carol',
    ]);
  });
  const history = await run.handle.fetchHistory();
  const identities = new Set(history.events?.map(({ workflowTaskStartedEventAttributes }) => workflowTaskStartedEventAttributes?.identity));
  expect([...identities]).toEqual(expect.arrayContaining(['before', 'after']));
});
