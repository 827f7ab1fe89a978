import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { type KubernetesDouble, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import {
  addressOf,
  type ExampleVolume,
  LONGHORN,
  MEMBERS,
  writeLonghornVolume,
  writePersistentVolume,
  writePodWithClaims,
} from '#libs/testing/longhorn-objects.js';
import { observeVolumes } from './observe.js';
import { RebuildProgress } from './rebuild-progress.js';

const members = [{ member: 'lxd-0', pod: 'lxd-0', namespace: MEMBERS }];
const rebuilding = { [`tcp://${addressOf('r1')}`]: { isRebuilding: true, progress: 40, state: 'in_progress', error: '' } };
const WRITTEN_ONLY = { 'pvc-lxd-0-r1': 'WO', 'pvc-lxd-0-r2': 'RW' };

let double: KubernetesDouble;
let kube: KubernetesClient;
let now: number;
let rebuilds: RebuildProgress;

beforeEach(async () => {
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'webspaces' });
  now = 1_000_000;
  rebuilds = new RebuildProgress(() => now);
});

afterEach(async () => {
  await kube.close();
  await double.close();
});

const observe = (of = members) => observeVolumes({ kube, namespace: LONGHORN, members: of, rebuilds });

async function observeOne(changes: ExampleVolume) {
  await writePodWithClaims(kube, 'lxd-0', { 'data-lxd-0': 'pvc-lxd-0' });
  await writeLonghornVolume(kube, 'lxd-0', changes);
  const [volume] = await observe();
  return volume;
}

describe('what is said of a volume', () => {
  test('attached, healthy, two readable copies, one of them local', async () => {
    expect(await observeOne({})).toEqual({
      name: 'pvc-lxd-0',
      member: 'lxd-0',
      state: 'attached',
      robustness: 'healthy',
      dataLocality: 'best-effort',
      numberOfReplicas: 2,
      sizeBytes: 10 * 1024 ** 3,
      expanding: 'no',
      engine: { node: 'node-a', state: 'running' },
      replicas: [
        { name: 'pvc-lxd-0-r1', node: 'node-a', mode: 'RW' },
        { name: 'pvc-lxd-0-r2', node: 'node-b', mode: 'RW' },
      ],
    });
  });

  test.each<readonly [string, ExampleVolume, object]>([
    ['degraded', { volumeStatus: { robustness: 'degraded' } }, { robustness: 'degraded' }],
    ['faulted', { volumeStatus: { state: 'detached', robustness: 'faulted' } }, { state: 'detached', robustness: 'faulted' }],
    ['detached', { volumeStatus: { state: 'detached', robustness: 'unknown' } }, { state: 'detached', robustness: 'unknown' }],
    ['just made, without any status', { volumeStatus: { state: '', robustness: '' } }, { state: 'creating', robustness: 'unknown' }],
    ['moving, as the spec wants it', { volume: { migrationNodeID: 'node-c' } }, { migratingTo: 'node-c' }],
    ['moving, as the status has it', { volumeStatus: { currentMigrationNodeID: 'node-c' } }, { migratingTo: 'node-c' }],
    ['growing, says the engine', { engineStatus: { isExpanding: true } }, { expanding: 'yes' }],
    ['growing, says the volume', { volumeStatus: { expansionRequired: true } }, { expanding: 'yes' }],
    ['its engine stopped', { engineStatus: { currentState: 'stopped' } }, { engine: { node: 'node-a', state: 'stopped' } }],
  ])('%s', async (_what, changes, expected) => {
    expect(await observeOne(changes)).toMatchObject(expected);
  });

  test('of the condition Scheduled only a false one counts, and an empty message is filled from the node', async () => {
    const conditions = [
      { type: 'Schedulable', status: 'False', reason: 'NotThis', message: 'a printer column only' },
      { type: 'Scheduled', status: 'False', reason: 'LocalReplicaSchedulingFailure', message: '' },
    ];
    await kube.in(LONGHORN).apply('longhornNode', { metadata: { name: 'node-a' }, spec: { allowScheduling: true } });
    const disk = { conditions: [{ type: 'Schedulable', status: 'False', reason: 'DiskPressure', message: '2 GiB left' }] };
    const status = { conditions: [{ type: 'Ready', status: 'True' }], diskStatus: { main: disk } };
    await kube.in(LONGHORN).apply('longhornNode', { metadata: { name: 'node-a' }, status }, { subresource: 'status' });
    expect((await observeOne({ volumeStatus: { conditions } }))?.schedulingFailure).toEqual({
      reason: 'LocalReplicaSchedulingFailure',
      message: 'disk main of node-a is not Schedulable (DiskPressure: 2 GiB left)',
    });
  });

  test('during a migration the active engine speaks, also when another is on the current node', async () => {
    const spec = { nodeID: 'node-c', active: false, volumeName: 'pvc-lxd-0' };
    await kube.in(LONGHORN).apply('longhornEngine', { metadata: { name: 'aaa', labels: { longhornvolume: 'pvc-lxd-0' } }, spec });
    expect(await observeOne({ volumeStatus: { currentNodeID: 'node-c' } })).toMatchObject({ engine: { node: 'node-a', state: 'running' } });
  });

  test('a form that Longhorn does not have is not guessed at', async () => {
    await expect(observeOne({ engineStatus: { replicaModeMap: { r: 'MAYBE' } } })).rejects.toMatchObject({
      code: 'PROTOCOL',
      message: expect.stringContaining('replicaModeMap.r'),
    });
  });
});

describe('what is said of a rebuild', () => {
  const replica = async (changes: ExampleVolume, name = 'pvc-lxd-0-r1') =>
    (await observeOne(changes))?.replicas.find((one) => one.name === name);
  const withStatus = (status: object, modes: object = WRITTEN_ONLY) => ({
    engineStatus: { replicaModeMap: modes, rebuildStatus: { [`tcp://${addressOf('r1')}`]: status } },
  });

  test('under way: joined by its address without the scheme', async () => {
    expect(await replica(withStatus(rebuilding[`tcp://${addressOf('r1')}`] ?? {}))).toEqual({
      name: 'pvc-lxd-0-r1',
      node: 'node-a',
      mode: 'WO',
      rebuild: { state: 'in_progress', progressPercent: 40, unchangedSeconds: 0 },
    });
  });

  test('joined by the address of the replica itself when the engine does not name it yet', async () => {
    const replicas = { r1: { node: 'node-a', status: { storageIP: '10.42.9.9', port: 10010 } }, r2: { node: 'node-b' } };
    const rebuildStatus = { 'tcp://10.42.9.9:10010': { isRebuilding: true, progress: 7, state: 'in_progress' } };
    const engineStatus = { replicaModeMap: WRITTEN_ONLY, currentReplicaAddressMap: null, rebuildStatus };
    expect(await replica({ replicas, engineStatus })).toMatchObject({ mode: 'WO', rebuild: { progressPercent: 7 } });
  });

  test('complete while it is still written only stays so', async () => {
    expect(await replica(withStatus({ isRebuilding: false, progress: 100, state: 'complete' }))).toMatchObject({
      mode: 'WO',
      rebuild: { state: 'complete', progressPercent: 100 },
    });
  });

  test('a progress over 100 is left as Longhorn says it', async () => {
    expect(await replica(withStatus({ isRebuilding: true, progress: 118, state: 'in_progress' }))).toMatchObject({
      rebuild: { progressPercent: 118 },
    });
  });

  test('failed, with its error', async () => {
    expect(await replica(withStatus({ isRebuilding: false, progress: 12, state: 'error', error: 'sync agent: EOF' }))).toMatchObject({
      rebuild: { state: 'error', error: 'sync agent: EOF' },
    });
  });

  test('failed and out of the engine: the condition of the replica counts as long as the copy is missed', async () => {
    const conditions = [{ type: 'RebuildFailed', status: 'True', reason: 'Disconnection', message: 'context deadline exceeded' }];
    const replicas = { r1: { node: 'node-a', conditions }, r2: { node: 'node-b' }, r3: { node: 'node-c' } };
    const without = { replicaModeMap: { 'pvc-lxd-0-r2': 'RW', 'pvc-lxd-0-r3': 'RW' } };
    expect(await replica({ replicas, engineStatus: without })).toMatchObject({
      rebuild: { state: 'error', error: 'context deadline exceeded' },
    });
    expect(await replica({ replicas, engineStatus: without, volume: { dataLocality: 'disabled' } })).toEqual({
      name: 'pvc-lxd-0-r1',
      node: 'node-a',
    });
  });

  test('a replica that the engine names and that has no object is not lost', async () => {
    const modes = { 'pvc-lxd-0-r1': 'RW', 'pvc-lxd-0-r2': 'RW', 'unknown-1': 'ERR' };
    expect(await replica({ engineStatus: { replicaModeMap: modes } }, 'unknown-1')).toEqual({
      name: 'unknown-1',
      node: '(unknown)',
      mode: 'ERR',
    });
  });

  test('one that has no node yet is no copy', async () => {
    const replicas = { r1: { node: 'node-a' }, r2: { node: 'node-b' }, r3: { node: '' } };
    const engineStatus = { replicaModeMap: { 'pvc-lxd-0-r1': 'RW', 'pvc-lxd-0-r2': 'RW' } };
    expect((await observeOne({ replicas, engineStatus }))?.replicas.map(({ name }) => name)).toEqual(['pvc-lxd-0-r1', 'pvc-lxd-0-r2']);
  });

  test('how long it stands still and how fast it is are by the clock of the observer', async () => {
    const at = (progress: number) => withStatus({ isRebuilding: true, progress, state: 'in_progress' });
    await replica(at(10));
    now += 10_000;
    expect(await replica(at(20))).toMatchObject({ rebuild: { unchangedSeconds: 0, bytesPerSecond: Math.round((10 * 1024 ** 3) / 100) } });
    now += 61_000;
    expect(await replica(at(20))).toMatchObject({ rebuild: { unchangedSeconds: 61 } });
    expect((await replica(at(5)))?.rebuild).toEqual({ state: 'in_progress', progressPercent: 5, unchangedSeconds: 0 });
  });

  test('one that ended and begins again is counted anew', async () => {
    const at = (status: object) => replica(withStatus(status));
    const running = { isRebuilding: true, progress: 50, state: 'in_progress' };
    await at(running);
    now += 100_000;
    await at({ isRebuilding: false, progress: 100, state: 'complete' });
    now += 100_000;
    expect(await at(running)).toMatchObject({ rebuild: { unchangedSeconds: 0 } });
  });
});

describe('whose a volume is', () => {
  const names = async (of = members) => (await observe(of)).map(({ member, name, state }) => [member, name, state]);

  test('each member has the volumes of its claims, in the order of the members', async () => {
    await writePodWithClaims(kube, 'lxd-1', { 'data-lxd-1': 'pvc-lxd-1' });
    await writePodWithClaims(kube, 'lxd-0', { 'data-lxd-0': 'pvc-lxd-0', 'storage-lxd-0': 'pv-storage' });
    await writePersistentVolume(kube, 'pv-storage', { driver: 'driver.longhorn.io', volumeHandle: 'pvc-storage' });
    for (const pod of ['lxd-0', 'lxd-1', 'stranger']) await writeLonghornVolume(kube, pod);
    await writeLonghornVolume(kube, 'storage', { volumeStatus: { kubernetesStatus: null } });
    expect(await names([{ member: 'lxd-1', pod: 'lxd-1', namespace: MEMBERS }, ...members])).toEqual([
      ['lxd-1', 'pvc-lxd-1', 'attached'],
      ['lxd-0', 'pvc-lxd-0', 'attached'],
      ['lxd-0', 'pvc-storage', 'attached'],
    ]);
  });

  test('what is on another storage is left out', async () => {
    await writePodWithClaims(kube, 'lxd-0', { 'data-lxd-0': 'pvc-lxd-0', 'cache-lxd-0': 'pv-local' });
    await writePersistentVolume(kube, 'pv-local', { driver: 'local.csi.example', volumeHandle: 'x' });
    await writeLonghornVolume(kube, 'lxd-0');
    expect(await names()).toEqual([['lxd-0', 'pvc-lxd-0', 'attached']]);
  });

  test('while the pod is away, the volumes that remember it', async () => {
    await writeLonghornVolume(kube, 'lxd-0', { volumeStatus: { state: 'detached', robustness: 'unknown' } });
    await writeLonghornVolume(kube, 'lxd-1');
    expect(await names()).toEqual([['lxd-0', 'pvc-lxd-0', 'detached']]);
  });

  test('a claim that is not bound, and a volume that is gone, are being created', async () => {
    await writePodWithClaims(kube, 'lxd-0', { 'data-lxd-0': '', 'storage-lxd-0': 'pv-gone' });
    expect(await names()).toEqual([
      ['lxd-0', 'data-lxd-0', 'creating'],
      ['lxd-0', 'pv-gone', 'creating'],
    ]);
  });

  test('a volume of somebody else that is of another form harms nobody', async () => {
    await writePodWithClaims(kube, 'lxd-0', { 'data-lxd-0': 'pvc-lxd-0' });
    await writeLonghornVolume(kube, 'lxd-0');
    await writeLonghornVolume(kube, 'stranger', { volumeStatus: { state: 'something-new' } });
    expect(await names()).toEqual([['lxd-0', 'pvc-lxd-0', 'attached']]);
  });
});
