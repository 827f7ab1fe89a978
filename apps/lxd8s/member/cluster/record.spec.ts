import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { type KubernetesDouble, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { type Cluster, ClusterRecord } from './record.js';

const NEVER = new AbortController().signal;
const CLUSTER: Cluster = {
  id: 'c',
  phase: 'claimed',
  claim: { member: 'lxd-0', volume: 'v0' },
  certificates: 'PEM',
  volumes: { 'lxd-0': 'v0' },
};

let double: KubernetesDouble;
let kube: KubernetesClient;
let record: ClusterRecord;
beforeEach(async () => {
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'lxd8s' });
  record = new ClusterRecord(kube, 'lxd');
});
afterEach(async () => {
  await kube.close();
  await double.close();
});

test('of many that want to make the cluster only one may', async () => {
  expect(await record.read(NEVER)).toBeUndefined();
  const tries = await Promise.allSettled(Array.from({ length: 5 }, (_, at) => record.create({ ...CLUSTER, id: `c${at}` })));
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('what is written is read, and what others wrote beside it stays', async () => {
  await record.create(CLUSTER);
  const object = await kube.get('configMap', 'lxd-cluster');
  await kube.replace('configMap', { ...object, data: { ...(object['data'] as object), note: 'by hand', rejoin: 'lxd-2' } });
  expect(await record.read(NEVER)).toMatchObject({ ...CLUSTER, rejoin: 'lxd-2' });
  await record.change((now) => ({ ...now, rejoin: undefined, volumes: { ...now.volumes, 'lxd-2': 'v2' } }), NEVER);
  const { data } = (await kube.get('configMap', 'lxd-cluster')) as unknown as { data: Record<string, string> };
  expect(data).toMatchObject({ note: 'by hand', 'volumes.json': '{"lxd-0":"v0","lxd-2":"v2"}' });
  expect(data).not.toHaveProperty('rejoin');
});

test('who joins is kept until they are in', async () => {
  const joining = { member: 'lxd-2', since: '2026-01-01T00:00:00.000Z' };
  await record.create({ ...CLUSTER, joining });
  expect(await record.read(NEVER)).toMatchObject({ joining });
  expect((await record.change((now) => ({ ...now, joining: undefined }), NEVER)).joining).toBeUndefined();
  expect((await record.read(NEVER))?.joining).toBeUndefined();
});

test('a change of nothing writes nothing', async () => {
  await record.create(CLUSTER);
  await record.change((now) => now, NEVER);
  expect(double.requests.filter((line) => line.startsWith('PUT'))).toEqual([]);
});

test('a change that another one overtakes is refused, and has changed nothing', async () => {
  await record.create(CLUSTER);
  double.beforeEach = async (request) => {
    if (!request.startsWith('PUT')) return;
    double.beforeEach = undefined;
    await record.change((now) => ({ ...now, phase: 'formed' }), NEVER);
  };
  await expect(record.change((now) => ({ ...now, id: 'other' }), NEVER)).rejects.toMatchObject({ code: 'STALE' });
  expect(await record.read(NEVER)).toMatchObject({ id: 'c', phase: 'formed' });
});

test('a ConfigMap that is no record is unknown, never absent', async () => {
  await kube.create('configMap', { metadata: { name: 'lxd-cluster' }, data: { phase: 'formed' } });
  await expect(record.read(NEVER)).rejects.toMatchObject({ code: 'PROTOCOL' });
});
