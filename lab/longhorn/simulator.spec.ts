import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { ObservedVolume } from '#libs/domain/upgrade/observed.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { observeVolumes } from '#libs/longhorn/observe.js';
import { RebuildProgress } from '#libs/longhorn/rebuild-progress.js';
import { type KubernetesDouble, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { FAULT_ANNOTATION, type Fault } from './faults.js';
import { SETTINGS_NAME } from './settings.js';
import { Simulator } from './simulator.js';

// Hundreds of questions to Kubernetes each.
jest.setTimeout(30_000);

const LONGHORN = 'longhorn-system';
const SECOND = 1_000;
const members = [{ member: 'lxd-0', pod: 'lxd-0', namespace: 'lxd' }];

let double: KubernetesDouble;
let kube: KubernetesClient;
let now: number;
let simulator: Simulator;
let rebuilds: RebuildProgress;

beforeEach(async () => {
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'lxd' });
  now = Date.parse('2026-01-01T00:00:00Z');
  rebuilds = new RebuildProgress(() => now);
  simulator = newSimulator();
  for (const name of ['a', 'b', 'c']) await kube.apply('node', { metadata: { name }, spec: {} });
  // 10 s for a copy, 1 s for each step.
  const data = { bytesPerSecond: String(1024 ** 2), stepMs: '1000' };
  await kube.in(LONGHORN).apply('configMap', { metadata: { name: SETTINGS_NAME }, data });
  const spec = { volumeName: 'pv-0', resources: { requests: { storage: '10Mi' } } };
  await kube.apply('persistentVolumeClaim', { metadata: { name: 'state-lxd-0' }, spec });
});

afterEach(async () => {
  await kube.close();
  await double.close();
});

const newSimulator = () => new Simulator({ kube, namespace: LONGHORN, claimsNamespace: 'lxd' });

async function placePod(nodeName: string): Promise<void> {
  const volumes = [{ name: 'state', persistentVolumeClaim: { claimName: 'state-lxd-0' } }];
  await kube.apply('pod', { metadata: { name: 'lxd-0' }, spec: { nodeName, volumes } });
}

async function movePod(nodeName: string): Promise<void> {
  await kube.delete('pod', 'lxd-0', {});
  await placePod(nodeName);
}

/** Lets so many seconds pass, two looks each. */
async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds * 2; i++) {
    now += SECOND / 2;
    await simulator.step(now);
  }
}

async function setFault(fault: Fault | undefined): Promise<void> {
  const volume = await kube.in(LONGHORN).get('longhornVolume', 'pv-0');
  const { [FAULT_ANNOTATION]: _before, ...others } = volume.metadata.annotations ?? {};
  const annotations = fault ? { ...others, [FAULT_ANNOTATION]: fault } : others;
  await kube.in(LONGHORN).replace('longhornVolume', { ...volume, metadata: { ...volume.metadata, annotations } });
}

async function volume(): Promise<ObservedVolume> {
  const [observed] = await observeVolumes({ kube, namespace: LONGHORN, members, rebuilds });
  if (!observed) throw new Error('no volume');
  return observed;
}

/** `node:mode percent`, one for each copy. */
const copies = ({ replicas }: ObservedVolume) =>
  replicas.map(({ node, mode, rebuild }) => `${node}:${mode ?? 'none'}${rebuild ? ` ${rebuild.state} ${rebuild.progressPercent}` : ''}`);

/** Attached to `a` with copies on a and b; then moved to c, where its engine runs and no copy is. */
async function settledThenMoved(fault?: Fault): Promise<void> {
  await placePod('a');
  await pass(4);
  await movePod('c');
  await setFault(fault);
  await pass(4);
}

describe('a volume without faults', () => {
  test('is made for a claim, and attached where its pod is, with one copy there', async () => {
    await simulator.step(now);
    expect(await volume().catch(() => undefined)).toBeUndefined();
    await placePod('b');
    await pass(0.5);
    expect(await volume()).toMatchObject({ state: 'attaching', robustness: 'unknown', replicas: [] });
    await pass(2);
    expect(await volume()).toMatchObject({ state: 'attached', robustness: 'healthy', sizeBytes: 10 * 1024 ** 2, numberOfReplicas: 2 });
    expect(copies(await volume())).toEqual(['b:RW', 'a:RW']);
  });

  test('follows its pod: healthy before the local copy is there, WO before RW, and the surplus copy goes last', async () => {
    await placePod('a');
    await pass(4);
    await movePod('c');
    const seen: string[] = [];
    for (let i = 0; i < 45; i++) {
      await pass(0.5);
      const { state, robustness, engine, ...rest } = await volume();
      const line = [
        state,
        robustness,
        engine?.node,
        ...copies({ ...rest, state, robustness }).map((text) => text.replace(/\d+$/, '')),
      ].join(' ');
      if (seen.at(-1) !== line) seen.push(line);
    }
    expect(seen).toEqual([
      'detaching unknown a a:none b:none',
      'detached unknown  a:none b:none',
      'attaching unknown c a:none b:none',
      'attached healthy c a:RW b:RW',
      'attached healthy c a:RW b:RW c:WO in_progress ',
      'attached healthy c a:RW b:RW c:WO complete ',
      'attached healthy c a:RW b:RW c:RW',
      'attached healthy c b:RW c:RW',
    ]);
  });

  test('a copy is built at the rate of the settings', async () => {
    await settledThenMoved();
    const rebuild = async () => (await volume()).replicas.find(({ mode }) => mode === 'WO')?.rebuild;
    const before = (await rebuild())?.progressPercent ?? Number.NaN;
    await pass(5);
    expect(await rebuild()).toMatchObject({ progressPercent: before + 50, bytesPerSecond: Math.round(1024 ** 2) });
  });

  test('goes on after a restart as if nothing had been', async () => {
    await settledThenMoved();
    const before = await volume();
    simulator = newSimulator();
    await simulator.step(now);
    expect(await volume()).toEqual(before);
    await pass(15);
    expect(copies(await volume())).toEqual(['b:RW', 'c:RW']);
  });

  test('a pod that comes back to its node finds its copy there', async () => {
    await placePod('a');
    await pass(4);
    await movePod('a');
    await pass(0.5);
    expect(await volume()).toMatchObject({ state: 'detaching' });
    await pass(4);
    expect(copies(await volume())).toEqual(['a:RW', 'b:RW']);
  });

  test('a replica that somebody deletes is made anew', async () => {
    await settledThenMoved('stuck');
    await pass(15);
    const stuck = (await volume()).replicas.find(({ mode }) => mode === 'WO');
    await setFault(undefined);
    await kube.in(LONGHORN).delete('longhornReplica', stuck?.name ?? '', {});
    await pass(1);
    expect((await volume()).replicas.map(({ name }) => name)).not.toContain(stuck?.name);
    await pass(16);
    expect(copies(await volume())).toEqual(['b:RW', 'c:RW']);
  });

  test('all objects say what they are, and go with their claim', async () => {
    await settledThenMoved();
    const all = async () =>
      (
        await Promise.all((['longhornVolume', 'longhornEngine', 'longhornReplica'] as const).map((kind) => kube.in(LONGHORN).list(kind)))
      ).flat();
    const objects = await all();
    expect(objects).toHaveLength(5);
    for (const { metadata } of objects) expect(metadata.annotations?.['simulator.webspaces.ie/by']).toContain('a simulator');
    await kube.delete('persistentVolumeClaim', 'state-lxd-0', {});
    await pass(1);
    expect(await all()).toEqual([]);
  });
});

describe('faults', () => {
  test.each<readonly [Fault, object, readonly string[]]>([
    ['degraded', { state: 'attached', robustness: 'degraded' }, ['a:ERR', 'b:RW', 'c:WO complete 100']],
    ['faulted', { state: 'detached', robustness: 'faulted' }, ['a:none', 'b:none']],
    ['detached', { state: 'detached', robustness: 'unknown' }, ['a:none', 'b:none']],
    [
      'migrating',
      { state: 'attached', robustness: 'healthy', migratingTo: 'a', engine: { node: 'c', state: 'running' } },
      ['a:RW', 'b:RW'],
    ],
    ['stuck', { state: 'attached', robustness: 'healthy' }, ['a:RW', 'b:RW', 'c:WO in_progress 99']],
    ['rebuild-error', { state: 'attached', robustness: 'healthy' }, ['a:RW', 'b:RW', 'c:none error 0']],
    ['over-100', { state: 'attached', robustness: 'healthy' }, ['a:RW', 'b:RW', 'c:WO in_progress 106']],
    ['complete-but-wo', { state: 'attached', robustness: 'healthy' }, ['a:RW', 'b:RW', 'c:WO complete 100']],
    ['no-local-space', { schedulingFailure: { reason: 'LocalReplicaSchedulingFailure', message: expect.any(String) } }, ['a:RW', 'b:RW']],
  ])('%s, and afterwards all is well again', async (fault, expected, expectedCopies) => {
    await settledThenMoved(fault === 'degraded' ? 'stuck' : fault);
    await pass(fault === 'over-100' ? 8.5 : 15);
    if (fault === 'degraded') await setFault(fault);
    await pass(0.5);
    const seen = await volume();
    expect(seen).toMatchObject(expected);
    expect(copies(seen)).toEqual(expectedCopies);
    await setFault(undefined);
    await pass(40);
    expect(await volume()).toMatchObject({ state: 'attached', robustness: 'healthy', engine: { node: 'c', state: 'running' } });
    expect((await volume()).replicas).toHaveLength(2);
    expect((await volume()).replicas.every(({ mode }) => mode === 'RW')).toBe(true);
    expect((await volume()).replicas.some(({ node }) => node === 'c')).toBe(true);
  });

  test('no local space: the Node says why', async () => {
    await settledThenMoved('no-local-space');
    await pass(2);
    expect((await volume()).schedulingFailure?.message).toContain('DiskPressure');
  });
});
