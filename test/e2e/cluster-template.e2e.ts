import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Locks } from '#activities/kubernetes/lock.js';
import type { WorkflowRuns } from '#activities/shared/workflow-runs.js';
import { deletePodsSteps } from '#activities/upgrade/delete-pods.js';
import { Clusters, type UpgradeDeps } from '#activities/upgrade/deps.js';
import { observedPod, observedStatefulSet } from '#activities/upgrade/objects.js';
import { prepareSteps } from '#activities/upgrade/prepare.js';
import { ensureStatefulSet, recreateSteps } from '#activities/upgrade/recreate.js';
import { clusterSweepSteps } from '#activities/upgrade/sweep-clusters.js';
import { templateSteps } from '#activities/upgrade/template.js';
import { KubeClient } from '#lab/kube-client.js';
import { waitFor } from '#lab/wait.js';
import { type ClusterConfig, clustersSchema } from '#libs/config/clusters.js';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { TemplateChange } from '#libs/contracts/upgrade-activities.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import type { Build } from '#libs/domain/upgrade/observed.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { createLogger } from '#libs/logging/logger.js';
import { openSession, type Session } from '../support/lab-session.js';
import { OPEN_RUNS, upgradeActing, upgradeCall } from '../support/upgrade-call.js';

const NAMESPACE = 'template-test';
const PLAN = { cluster: 'c1', hash: 'h', kind: 'rolling' } as const;
const OLD: Build = { image: 'example.org/lxd:1', environment: {} };
const NEW: Build = { image: 'example.org/lxd:2', environment: { LXD_ARTIFICIALLY_BUMP_API_EXTENSIONS: '1' } };
const READY = { exec: { command: ['true'] }, periodSeconds: 2, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 3 };

let session: Session;
let admin: KubeClient;
let kube: KubernetesClient;
let config: ClusterConfig;
let deps: UpgradeDeps;
const call = upgradeCall('op');
const acting = upgradeActing('c1', 'op');

beforeAll(async () => {
  session = await openSession();
  admin = KubeClient.fromKubeconfig(session.lab.kubeconfigAdmin);
  await admin.request('POST', '/api/v1/namespaces', { metadata: { name: NAMESPACE } });
  kube = new KubernetesClient({ kubeconfig: session.lab.kubeconfigAdmin, namespace: NAMESPACE });
  config = clustersSchema.parse([{ name: 'c1', namespace: NAMESPACE }])[0] as ClusterConfig;
}, 180_000);
afterAll(async () => {
  await admin?.request('DELETE', `/api/v1/namespaces/${NAMESPACE}`);
  await kube?.close();
  await session?.close();
}, 120_000);

/** As another field manager, with probes, a partition and a variable that does not count. */
beforeEach(async () => {
  await Promise.all([
    kube.delete('statefulSet', 'lxd', {}),
    kube.delete('lease', acting.name, {}),
    kube.delete('configMap', 'lxd-upgrade', {}),
  ]);
  await waitFor('nothing of before', async () => (await kube.list('wholePod')).length === 0, { timeoutMs: 30_000 });
  const labels = { app: 'lxd' };
  const container = { name: 'lxd', image: OLD.image, env: [{ name: 'OTHER', value: 'x' }], readinessProbe: READY, startupProbe: READY };
  const spec = {
    serviceName: 'lxd',
    replicas: 2,
    podManagementPolicy: 'OrderedReady',
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } },
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [container], terminationGracePeriodSeconds: 0 } },
  };
  const path = `/apis/apps/v1/namespaces/${NAMESPACE}/statefulsets/lxd?fieldManager=chart&force=true`;
  const object = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'lxd' }, spec };
  const { status } = await admin.request('PATCH', path, object, 'application/apply-patch+yaml');
  expect(status).toBeLessThan(300);
  const locks = new Locks(kube, OPEN_RUNS);
  await locks.acquire(acting, call.me, call.signal);
  deps = {
    locks,
    runs: OPEN_RUNS,
    clusters: new Clusters([config], kube),
    leadAwayFromMembers: async () => undefined,
    copiesFolder: '/nonexistent',
    log: createLogger({ name: 'spec', level: 'silent' }),
  };
  await waitFor('the first pod', async () => (await kube.find('wholePod', 'lxd-0')) !== undefined, { timeoutMs: 30_000 });
}, 90_000);

const statefulSet = () => kube.get('statefulSet', 'lxd');
const shown = async () => observedStatefulSet(await statefulSet(), config);
const envOf = (object: StoredObject) =>
  (object as unknown as { spec: { template: { spec: { containers: { env: unknown }[] } } } }).spec.template.spec.containers[0]?.env;
const change = (build: Build, probes: TemplateChange['probes']): TemplateChange => ({
  do: 'patch-template',
  build,
  probes,
  way: 'statefulset',
});
/** Again when the controller has written meanwhile, as Temporal does. */
async function patch(build: Build, probes: TemplateChange['probes']): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await templateSteps(deps).patchTemplate(call, acting, PLAN, change(build, probes));
    } catch (error) {
      if (attempt === 10 || !isPlatformError(error, 'STALE')) throw error;
    }
  }
}

describe('the template', () => {
  it('gets image, variables and OnDelete, loses probes that another manager owns, and gets both back as they were', async () => {
    const { desired } = await prepareSteps(deps).prepareUpgrade(call, acting, {
      name: acting.name,
      cluster: 'c1',
      operationId: 'op',
      requestedBy: { subject: '1', username: 'root' },
      image: NEW.image,
    });
    expect(desired).toMatchObject({ build: { ...OLD, image: NEW.image }, probeKinds: ['readiness', 'startup'] });
    await patch(NEW, []);
    await patch(NEW, []);
    const without = await statefulSet();
    expect(observedStatefulSet(without, config)).toMatchObject({
      updateStrategy: { type: 'OnDelete' },
      template: { build: NEW, probes: [] },
    });
    expect(envOf(without)).toContainEqual({ name: 'OTHER', value: 'x' });
    expect(JSON.parse(without.metadata.annotations?.[UPGRADE_KEYS.probes] ?? '')).toEqual({ readiness: READY, startup: READY });
    await patch(OLD, ['readiness', 'startup']);
    expect((await shown()).template).toEqual({ build: OLD, probes: ['readiness', 'startup'] });
    expect(envOf(await statefulSet())).toEqual([{ name: 'OTHER', value: 'x' }]);
    expect((await statefulSet()).metadata.annotations?.[UPGRADE_KEYS.probes]).toBeUndefined();
    await patch(NEW, ['readiness', 'startup']);
    expect((await shown()).template).toEqual({ build: NEW, probes: ['readiness', 'startup'] });
    await templateSteps(deps).setUpdateStrategy(call, acting, PLAN, {
      do: 'set-update-strategy',
      updateStrategy: { type: 'RollingUpdate', partition: 2 },
    });
    expect((await shown()).updateStrategy).toEqual({ type: 'RollingUpdate', partition: 2 });
  }, 60_000);

  it('is not touched without the lock, nor given probes that nothing describes', async () => {
    await kube.delete('lease', acting.name, {});
    await expect(patch(NEW, [])).rejects.toMatchObject({ code: 'CONFLICT' });
    await deps.locks.acquire(acting, call.me, call.signal);
    await expect(patch(NEW, ['liveness'])).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('liveness') });
    expect((await shown()).template.build).toEqual(OLD);
  }, 60_000);
});

describe('what a crash of everything left of an upgrade', () => {
  const sweep = (is: 'open' | 'closed') => {
    const runs = { describe: async () => (is === 'open' ? { is } : { is, closedAtMs: 0 }) } as unknown as WorkflowRuns;
    const parts = { runs, locks: new Locks(kube, runs), clusters: deps.clusters };
    const without: number[] = [];
    const metrics = { podsWithoutProbes: (_cluster: string, count: number) => without.push(count) };
    return clusterSweepSteps({ ...parts, metrics, log: createLogger({ name: 'test', level: 'silent' }) }).sweepClusters(call);
  };

  it('is repaired once nobody works on it: the template has its probes as they were, and replaces no pod', async () => {
    await patch(NEW, []);
    expect(await sweep('open')).toMatchObject([{ probesBack: [], errors: [] }]);
    expect((await shown()).template.probes).toEqual([]);
    expect(await sweep('closed')).toMatchObject([{ probesBack: ['readiness', 'startup'], errors: [] }]);
    expect(await shown()).toMatchObject({
      updateStrategy: { type: 'OnDelete' },
      template: { build: NEW, probes: ['readiness', 'startup'] },
    });
    const { metadata } = await statefulSet();
    expect(metadata.annotations?.[UPGRADE_KEYS.probes]).toBeUndefined();
    expect(await sweep('closed')).toMatchObject([{ probesBack: [], errors: [] }]);
    expect((await statefulSet()).metadata.resourceVersion).toBe(metadata.resourceVersion);
  }, 60_000);

  it('is not what somebody has taken out by hand afterwards', async () => {
    await patch(NEW, []);
    await sweep('closed');
    const container = { name: 'lxd', readinessProbe: null };
    await kube.merge('statefulSet', 'lxd', { spec: { template: { spec: { containers: [container] } } } });
    expect(await sweep('closed')).toMatchObject([{ probesBack: [], errors: [] }]);
    expect((await shown()).template.probes).toEqual(['startup']);
  }, 60_000);
});

describe('a StatefulSet made anew', () => {
  const recreate = (podManagementPolicy: 'Parallel' | 'OrderedReady') =>
    recreateSteps(deps).recreateStatefulSet(call, acting, PLAN, { podManagementPolicy });

  it('keeps its pods, and can be made from what was written down when it was cut off after the deletion', async () => {
    const uid = (await kube.get('wholePod', 'lxd-0')).metadata.uid;
    const template = (await shown()).template;
    await recreate('Parallel');
    await recreate('Parallel');
    expect(await shown()).toMatchObject({ podManagementPolicy: 'Parallel', template });
    await waitFor('its other pod at once', async () => (await kube.find('wholePod', 'lxd-1')) !== undefined, { timeoutMs: 30_000 });
    expect((await kube.get('wholePod', 'lxd-0')).metadata.uid).toBe(uid);
    await deps.clusters.get('c1').remembered.keepStatefulSet(await statefulSet(), call.signal);
    await kube.delete('statefulSet', 'lxd', {}, { dependents: 'Orphan' });
    await waitFor('it to be gone', async () => (await kube.find('statefulSet', 'lxd')) === undefined, { timeoutMs: 30_000 });
    await ensureStatefulSet(deps.clusters.get('c1'), call.signal);
    expect(await shown()).toMatchObject({ podManagementPolicy: 'Parallel', template });
    await recreate('OrderedReady');
    expect(await shown()).toMatchObject({ podManagementPolicy: 'OrderedReady', template });
    expect((await kube.get('wholePod', 'lxd-0')).metadata.uid).toBe(uid);
    await kube.delete('statefulSet', 'lxd', {}, { dependents: 'Orphan' });
    await waitFor('it to be gone', async () => (await kube.find('statefulSet', 'lxd')) === undefined, { timeoutMs: 30_000 });
    await expect(recreate('Parallel')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const name of ['lxd-0', 'lxd-1']) await kube.delete('wholePod', name, {});
  }, 120_000);
});

describe('pods', () => {
  const remove = (build: Build, pods: readonly string[]) =>
    deletePodsSteps(deps).deletePods(call, acting, PLAN, { pods, members: pods, build, quorum: 'lost-on-purpose' });

  it('are deleted once, and only when the template shows what is wanted', async () => {
    const old = await kube.get('wholePod', 'lxd-0');
    await expect(remove(NEW, ['lxd-0'])).rejects.toMatchObject({ code: 'CONFLICT' });
    await patch(NEW, ['readiness', 'startup']);
    await remove(NEW, ['lxd-0']);
    await waitFor('its successor', async () => (await kube.find('wholePod', 'lxd-0')) !== undefined, { timeoutMs: 30_000 });
    const fresh = await kube.get('wholePod', 'lxd-0');
    expect(fresh.metadata.uid).not.toBe(old.metadata.uid);
    expect(observedPod(fresh, config)).toMatchObject({ build: NEW, phase: 'Pending', probes: ['readiness', 'startup'] });
    expect((await kube.get('lease', acting.name)).metadata.annotations?.[UPGRADE_KEYS.replacing]).toBe('lxd-0');
    await remove(NEW, ['lxd-0']);
    expect((await kube.get('wholePod', 'lxd-0')).metadata.uid).toBe(fresh.metadata.uid);
  }, 90_000);
});
