import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { type KubernetesDouble, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { KubernetesClient } from './client.js';
import { LeaseFollower } from './lease-follower.js';

let double: KubernetesDouble;
let kube: KubernetesClient;
let follower: LeaseFollower | undefined;
let turns: string[];
beforeEach(async () => {
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'webspaces' });
  turns = [];
});
afterEach(async () => {
  await follower?.release();
  await kube.close();
  await double.close();
});

const hold = (holderIdentity: string) => kube.apply('lease', { metadata: { name: 'router' }, spec: { holderIdentity } });

/** Ends when it has read the Lease so often since. */
async function looks(count: number): Promise<void> {
  const before = double.requests.length;
  while (double.requests.length < before + count) await new Promise((resolve) => setImmediate(resolve));
}

function follow(onActive: () => Promise<void> = async () => void turns.push('active')): void {
  const log = pino({ level: 'silent' });
  const onStandby = async () => void turns.push('standby');
  follower = new LeaseFollower({ kube, lease: 'router', podName: 'pod-1', everySeconds: 0.01, log, onActive, onStandby });
  follower.start();
}

test('is active while its own pod holds the Lease, and writes nothing', async () => {
  follow();
  await looks(2);
  await hold('pod-10/x');
  await looks(3);
  expect(turns).toEqual([]);
  await hold('pod-1/x');
  await looks(3);
  expect(turns).toEqual(['active']);
  await hold('pod-2/y');
  await looks(3);
  expect(turns).toEqual(['active', 'standby']);
  expect(double.requests.filter((request) => !request.startsWith('GET')).length).toBe(3);
});

test('stays as it is while nobody holds the Lease', async () => {
  await hold('pod-1/x');
  follow();
  await looks(3);
  await hold('');
  await looks(3);
  expect(turns).toEqual(['active']);
});

test('tries a turn again that failed', async () => {
  let failures = 2;
  follow(async () => {
    if (failures-- > 0) throw new Error('not yet');
    turns.push('active');
  });
  await hold('pod-1/x');
  await looks(6);
  expect(turns).toEqual(['active']);
});
