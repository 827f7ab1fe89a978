import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { clustersSchema } from '#libs/config/clusters.js';
import type { NewObject } from '#libs/contracts/kubernetes-objects.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { createLogger } from '#libs/logging/logger.js';
import { type KubernetesDouble, Refusal, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { LOCK_GRACE_MS, Locks } from '../kubernetes/lock.js';
import type { RunState, WorkflowRuns } from '../shared/workflow-runs.js';
import { Clusters } from './deps.js';
import { ProbeLeases } from './probe-leases.js';
import { clusterSweepSteps } from './sweep-clusters.js';

const signal = new AbortController().signal;
const PROBE = { exec: { command: ['true'] } };

let double: KubernetesDouble;
let kube: KubernetesClient;
let now: number;
const states = new Map<string, RunState>();
const counts = new Map<string, number>();
const runs = {
  describe: async ({ workflowId }: { workflowId: string }) =>
    states.get(workflowId) ?? { is: workflowId.startsWith('upgrade:plan-') ? 'not-found' : 'open' },
} as unknown as WorkflowRuns;

beforeEach(async () => {
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'webspaces' });
  now = Date.now();
  states.clear();
  counts.clear();
});

afterEach(async () => {
  await kube.close();
  await double.close();
});

function sweep(configs: readonly object[] = [{ name: 'a', namespace: 'lxd-a' }]) {
  return clusterSweepSteps({
    clusters: new Clusters(clustersSchema.parse(configs), kube),
    locks: new Locks(kube, runs, () => now),
    runs,
    log: createLogger({ name: 'spec', level: 'silent' }),
    metrics: { podsWithoutProbes: (cluster, count) => counts.set(cluster, count) },
    now: () => now,
  }).sweepClusters({ signal });
}

const inA = () => kube.in('lxd-a');
const ended = (): RunState => ({ is: 'closed', closedAtMs: now - LOCK_GRACE_MS });
const throwAway = (name: string, operation: string): NewObject => ({
  metadata: { name, labels: { [UPGRADE_KEYS.operation]: operation } },
  spec: { containers: [{ name: 'pull', image: 'x:1' }] },
});

async function member(name: string, { phase, probed }: { readonly phase: string; readonly probed: 'probed' | 'bare' }): Promise<void> {
  const container = { name: 'lxd', image: 'lxd:1', ...(probed === 'probed' ? { readinessProbe: PROBE } : {}) };
  await inA().create('wholePod', { metadata: { name, labels: { app: 'lxd' } }, spec: { containers: [container] } });
  await inA().apply('wholePod', { metadata: { name }, status: { phase } }, { subresource: 'status' });
}

async function members(): Promise<void> {
  const container = { name: 'lxd', image: 'lxd:1', readinessProbe: PROBE };
  const spec = { replicas: 3, selector: { matchLabels: { app: 'lxd' } }, template: { spec: { containers: [container] } } };
  await inA().create('statefulSet', { metadata: { name: 'lxd' }, spec });
}

test('without a cluster nothing is read', async () => {
  expect(await sweep([])).toEqual([]);
  expect(double.requests).toEqual([]);
});

test('on a cluster where nothing was left nothing is written', async () => {
  await members();
  await member('lxd-0', { phase: 'Running', probed: 'probed' });
  double.requests.length = 0;
  expect(await sweep()).toEqual([{ cluster: 'a', probesBack: [], podsRemoved: [], podsWithoutProbes: [], errors: [] }]);
  expect(double.requests.filter((line) => !line.startsWith('GET'))).toEqual([]);
});

test('the Lease of an upgrade that has ended is released, that of one which runs is kept', async () => {
  const leases = new ProbeLeases({ kube: inA(), runs });
  const hold = { holder: 'upgrade:cluster-a:1', seconds: 60, by: 'anna', why: 'why' };
  await leases.hold('lxd-upgrade', hold, signal);
  expect((await sweep())[0]).not.toHaveProperty('released');
  states.set(hold.holder, ended());
  expect((await sweep())[0]).toMatchObject({ released: hold.holder });
  expect((await inA().get('lease', 'lxd-upgrade'))['spec']).not.toHaveProperty('holderIdentity');
});

test('throw-away pods go with their upgrade, not before, and others stay', async () => {
  for (const [name, operation] of Object.entries({ 'lxd-pull-1': 'op1', 'lxd-probe-2': 'op2', 'lxd-pull-3': 'op3', 'lxd-pull-4': 'op4' }))
    await inA().create('wholePod', throwAway(name, operation));
  await inA().create('wholePod', { metadata: { name: 'stranger' }, spec: { containers: [] } });
  states.set('upgrade:cluster-a:op1', ended());
  states.set('upgrade:cluster-a:op3', { is: 'closed', closedAtMs: now });
  states.set('upgrade:cluster-a:op4', { is: 'not-found' });
  expect((await sweep())[0]?.podsRemoved).toEqual(['lxd-pull-1']);
  now += LOCK_GRACE_MS + 1_000;
  expect((await sweep())[0]?.podsRemoved).toEqual(['lxd-pull-3', 'lxd-pull-4']);
  expect((await inA().list('wholePod')).map(({ metadata }) => metadata.name)).toEqual(['lxd-probe-2', 'stranger']);
});

test('the throw-away pod of a dry run goes with that one', async () => {
  await inA().create('wholePod', throwAway('lxd-probe-1', 'op1'));
  now += LOCK_GRACE_MS + 1_000;
  states.set('upgrade:cluster-a:op1', { is: 'not-found' });
  states.set('upgrade:plan-a:op1', { is: 'open' });
  expect((await sweep())[0]?.podsRemoved).toEqual([]);
  states.set('upgrade:plan-a:op1', ended());
  expect((await sweep())[0]?.podsRemoved).toEqual(['lxd-probe-1']);
});

test('a throw-away pod of another cluster of the namespace stays while that one is upgraded', async () => {
  await inA().create('wholePod', throwAway('lxd-b-pull-1', 'op1'));
  const two = [
    { name: 'a', namespace: 'lxd-a' },
    { name: 'b', namespace: 'lxd-a', statefulSet: 'lxd-b' },
  ];
  now += LOCK_GRACE_MS + 1_000;
  states.set('upgrade:cluster-a:op1', { is: 'not-found' });
  expect((await sweep(two)).flatMap(({ podsRemoved }) => podsRemoved)).toEqual([]);
  states.set('upgrade:cluster-b:op1', ended());
  expect((await sweep(two)).flatMap(({ podsRemoved }) => podsRemoved)).toEqual(['lxd-b-pull-1']);
});

test('members that run without probes are named and counted; those that do not run are not', async () => {
  await members();
  await member('lxd-0', { phase: 'Running', probed: 'bare' });
  await member('lxd-1', { phase: 'Running', probed: 'probed' });
  await member('lxd-2', { phase: 'Pending', probed: 'bare' });
  await member('lxd-probe-x', { phase: 'Running', probed: 'bare' });
  expect((await sweep())[0]?.podsWithoutProbes).toEqual(['lxd-0']);
  expect(counts).toEqual(new Map([['a', 1]]));
});

test('probes that an upgrade by pull request took out are named and not written, and forgotten when the repository has brought them back', async () => {
  const way = { kind: 'gitops', repository: 'society/flux', file: 'lxd.yaml', imagePath: 'image', probesPath: 'probes', github: {} };
  const annotations = { [UPGRADE_KEYS.probes]: JSON.stringify({ readiness: PROBE }) };
  const template = (probes: object) => ({ spec: { containers: [{ name: 'lxd', image: 'lxd:1', ...probes }] } });
  const spec = { replicas: 3, selector: { matchLabels: { app: 'lxd' } } };
  await inA().create('statefulSet', { metadata: { name: 'lxd', annotations }, spec: { ...spec, template: template({}) } });
  const config = { name: 'a', namespace: 'lxd-a', way };
  expect((await sweep([config]))[0]).toMatchObject({
    probesBack: [],
    errors: [expect.stringMatching(/readiness probe.*in the repository/)],
  });
  expect((await inA().get('statefulSet', 'lxd')).metadata.annotations).toEqual(annotations);
  await inA().delete('statefulSet', 'lxd', {});
  await inA().create('statefulSet', {
    metadata: { name: 'lxd', annotations },
    spec: { ...spec, template: template({ readinessProbe: PROBE }) },
  });
  expect((await sweep([config]))[0]).toMatchObject({ probesBack: [], errors: [] });
  expect((await inA().get('statefulSet', 'lxd')).metadata.annotations?.[UPGRADE_KEYS.probes] ?? 'gone').toBe('gone');
});

test('a part that cannot be read is told, and holds up neither the other parts nor the other clusters', async () => {
  await inA().create('wholePod', throwAway('lxd-pull-1', 'op1'));
  states.set('upgrade:cluster-a:op1', ended());
  double.beforeEach = (line) => {
    if (line.includes('/namespaces/lxd-a/leases') || line.includes('/namespaces/lxd-x/')) throw new Refusal(403, 'Forbidden', 'no');
  };
  const [x, a] = await sweep([
    { name: 'x', namespace: 'lxd-x' },
    { name: 'a', namespace: 'lxd-a' },
  ]);
  expect(x?.errors.length).toBeGreaterThan(0);
  expect(a).toMatchObject({ podsRemoved: ['lxd-pull-1'], errors: [expect.stringContaining('lxd-upgrade')] });
});
