import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { PlatformError } from '#libs/errors/platform-error.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { createLogger } from '#libs/logging/logger.js';
import { type KubernetesDouble, Refusal, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { ClusterRecord } from './record.js';
import { inTurn } from './turn.js';

const NEVER = new AbortController().signal;
const joining = { member: 'lxd-1', since: new Date().toISOString() };

let double: KubernetesDouble;
let kube: KubernetesClient;
let record: ClusterRecord;
beforeEach(async () => {
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'lxd8s' });
  record = new ClusterRecord(kube, 'lxd');
  await record.create({ id: 'c', phase: 'formed', claim: { member: 'lxd-0', volume: 'v0' }, certificates: '', volumes: {}, joining });
});
afterEach(async () => {
  await kube.close();
  await double.close();
});

const turn = (join: () => Promise<void>, member = 'lxd-1') =>
  inTurn({ member, record, log: createLogger({ name: 'spec', level: 'silent' }) }, join, NEVER);
const now = async () => (await record.read(NEVER))?.joining;

test('a turn ends with the join', async () => {
  await turn(async () => expect(await now()).toEqual(joining));
  expect(await now()).toBeUndefined();
});

test('and with a join that LXD has refused', async () => {
  const refused = new PlatformError('OPERATION_FAILED', 'The joining server version does not match.');
  await expect(turn(() => Promise.reject(refused))).rejects.toBe(refused);
  expect(await now()).toBeUndefined();
});

test.each([new PlatformError('UNAVAILABLE', 'LXD has not answered in time.'), new Error('cut off')])(
  'it is kept while the member may still have joined: %s',
  async (error) => {
    await expect(turn(() => Promise.reject(error))).rejects.toBe(error);
    expect(await now()).toEqual(joining);
  },
);

test('that of another is left alone', async () => {
  await turn(async () => undefined, 'lxd-2');
  expect(await now()).toEqual(joining);
});

test('a record that cannot be written fails no join: the next turn comes by time', async () => {
  double.beforeEach = (request) => {
    if (!request.startsWith('GET')) throw new Refusal(403, 'Forbidden', 'not now');
  };
  await turn(async () => undefined);
  double.beforeEach = undefined;
  expect(await now()).toEqual(joining);
});
