import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import { guarded } from '#activities/shared/guard.js';
import type { UpgradeDeps } from '#activities/upgrade/deps.js';
import { probeLeaseSteps } from '#activities/upgrade/probe-lease.js';
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
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { UpgradeWorld } from '#libs/testing/upgrade-world.js';
import { workflowBundle } from '#libs/testing/workflow-bundle.js';

jest.setTimeout(240_000);
const DAY_MS = 24 * 3_600_000;
const PAUSES = 2;
const PAUSE_DAYS = 15;
const PATIENCE_MS = 3_000;
const BOB = { subject: '2', username: 'bob' };
const input: UpgradeInput = {
  name: clusterLockOf('lab'),
  cluster: 'lab',
  operationId: 'op-1',
  requestedBy: { subject: '1', username: 'alice' },
  image: REBUILT.image,
};

let environment: TestWorkflowEnvironment;
let bundle: WorkflowBundle;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const path = await resolveTool('temporalTestServer');
  [environment, bundle] = await Promise.all([
    TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } }),
    workflowBundle(),
  ]);
}, 240_000);
afterAll(() => environment.teardown());

const workerOf = (taskQueue: string, buildId: string, activities: UpgradeActivities) =>
  Worker.create({
    connection: environment.nativeConnection,
    taskQueue,
    workflowBundle: bundle,
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

type Run = Awaited<ReturnType<typeof started>>;

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

/** Skips time. An attempt that a worker could not finish keeps the test server's time locked: what does not pass is unlocked meanwhile. */
async function pass(ms: number): Promise<void> {
  const { testService } = environment.connection;
  if (!testService) throw new Error('the server does not skip time');
  const began = Date.now();
  let slept = false;
  let unlocked = 0;
  const sleeping = environment.sleep(ms).then(() => {
    slept = true;
  });
  const passed = async () => {
    if (slept || Date.now() - began < PATIENCE_MS * (unlocked + 1)) return slept;
    await testService.unlockTimeSkipping({});
    unlocked += 1;
    return slept;
  };
  await waitFor('the days to pass', passed, { timeoutMs: 60_000, intervalMs: 50 });
  await sleeping;
  for (; unlocked > 0; unlocked--) await testService.lockTimeSkipping({});
}

/** The activities of the Lease as they are, with Kubernetes as in-process double; the others against the simulated cluster. */
async function withRealLease(world: UpgradeWorld) {
  const double = await startKubernetesDouble();
  const kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'lxd' });
  const lease = probeLeaseSteps({
    clusters: { get: () => ({ kube }) },
    locks: { assertHeld: async () => undefined },
    runs: { describe: async () => ({ is: 'open' }) },
  } as unknown as UpgradeDeps);
  const spec = async () => (await kube.list('lease'))[0]?.['spec'] as { holderIdentity?: string; renewTime?: string } | undefined;
  const holderAtDeletions: (string | undefined)[] = [];
  const others = world.activities();
  const activities: UpgradeActivities = {
    ...others,
    takeProbeLease: guarded(lease.takeProbeLease),
    holdProbeLease: guarded(lease.holdProbeLease),
    releaseProbeLease: guarded(lease.releaseProbeLease),
    deletePods: async (...args) => {
      holderAtDeletions.push((await spec())?.holderIdentity);
      return others.deletePods(...args);
    },
  };
  return {
    activities,
    spec,
    holderAtDeletions,
    close: async () => {
      await kube.close();
      await double.close();
    },
  };
}

test('paused for days with the Lease held: it is renewed by heartbeats alone, over restarts of workers; then somebody else resumes', async () => {
  const world = new UpgradeWorld(simulationOf(3), desiredOf(REBUILT, { probes: 'lease' }), {
    standSeconds: 90 * 86_400,
    probeLease: { seconds: 1 },
  });
  const kubernetes = await withRealLease(world);
  const workerNamed = (name: string) => workerOf('leased-pause', name, kubernetes.activities);
  const renewal = async ({ handle }: Run) =>
    (await handle.describe()).raw.pendingActivities?.find(({ activityType }) => activityType?.name === 'holdProbeLease');
  const renewed = async (run: Run) => {
    const heartbeat = async () => JSON.stringify((await renewal(run))?.lastHeartbeatTime);
    const before = { heartbeat: await heartbeat(), renewTime: (await kubernetes.spec())?.renewTime };
    const later = async () => (await heartbeat()) !== before.heartbeat && (await kubernetes.spec())?.renewTime !== before.renewTime;
    await waitFor('the Lease to be renewed, with a heartbeat', later, { timeoutMs: 20_000, intervalMs: 50 });
  };
  const historyOf = async (run: Run) => (await run.handle.fetchHistory()).events ?? [];
  try {
    const began = await environment.currentTimeMs();
    const run = await (await workerNamed('worker-0')).runUntil(async () => {
      const run = await started('leased-pause');
      const { plans } = await run.reaches('awaiting-approval');
      await run.order('approve', { by: BOB, hash: plans[0]?.hash });
      await waitFor('the Lease', async () => (await kubernetes.spec())?.holderIdentity !== undefined, { timeoutMs: 20_000, intervalMs: 5 });
      await run.order('pause', { by: BOB });
      await run.reaches('paused');
      await renewed(run);
      return run;
    });
    const paused = (await historyOf(run)).length;
    for (let pause = 1; pause <= PAUSES; pause++) {
      await pass(PAUSE_DAYS * DAY_MS);
      await (await workerNamed(`worker-${pause}`)).runUntil(() => renewed(run));
    }
    expect(await daysIn(environment, began)).toBeGreaterThanOrEqual(PAUSES * PAUSE_DAYS);
    expect(await historyOf(run)).toHaveLength(paused);
    await (await workerNamed('the last')).runUntil(async () => {
      await renewed(run);
      await run.order('resume', { by: { subject: '3', username: 'carol' } });
      const report = (await run.handle.result()) as UpgradeReport;
      expect(report).toMatchObject({ phase: 'finished' });
      expect(report.audit.at(-1)).toMatchObject({ did: 'resume', by: { username: 'carol' } });
    });
    const history = await historyOf(run);
    const scheduled = history.map(({ activityTaskScheduledEventAttributes }) => activityTaskScheduledEventAttributes?.activityType?.name);
    expect(scheduled.filter((name) => name === 'holdProbeLease')).toHaveLength(1);
    expect(scheduled.filter((name) => name === 'takeProbeLease')).toHaveLength(1);
    expect(history.length).toBeLessThan(1_000);
    expect(new Set(kubernetes.holderAtDeletions)).toEqual(new Set(['leased-pause']));
    expect(await kubernetes.spec()).not.toHaveProperty('holderIdentity');
  } finally {
    await kubernetes.close();
  }
});
