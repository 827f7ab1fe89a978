import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { lxd8sMemberConfigSchema } from '#libs/config/lxd8s-member.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { createLogger } from '#libs/logging/logger.js';
import type { OwnMember } from '#libs/lxd/own-member.js';
import { type KubernetesDouble, Refusal, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { enter } from './enter.js';
import { type Cluster, ClusterRecord } from './record.js';

const NEVER = new AbortController().signal;
const FORMED: Cluster = { id: 'c', phase: 'formed', claim: { member: 'lxd-0', volume: 'v0' }, certificates: '', volumes: {} };

let double: KubernetesDouble;
let kube: KubernetesClient;
let record: ClusterRecord;
let made: string[];
beforeEach(async () => {
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'lxd8s' });
  record = new ClusterRecord(kube, 'lxd');
  made = [];
});
afterEach(async () => {
  await kube.close();
  await double.close();
});

/** One step of a member that is alone behind its Service, which leads to this machine. */
function step(member: string, volume = 'v0'): Promise<string> {
  const config = lxd8sMemberConfigSchema.parse({ statefulSet: 'lxd', member, domain: 'localhost', join: { token: '/dev/null' } });
  const lxd = {
    bootstrap: async ({ name, address }: { name: string; address: string }) => void made.push(`${name} at ${address}`),
  } as unknown as OwnMember;
  const log = createLogger({ name: 'spec', level: 'silent' });
  return enter({ config, lxd, record, volume, preseed: undefined, log }, NEVER);
}

describe('the way into a cluster', () => {
  test('of the first member: the record first, then the cluster, at the name by which others find it', async () => {
    await step('lxd-0');
    expect(made).toEqual([]);
    expect(await record.read(NEVER)).toMatchObject({ phase: 'claimed', claim: { member: 'lxd-0', volume: 'v0' } });
    await step('lxd-0');
    expect(made).toEqual(['lxd-0 at lxd-0.localhost:8443']);
  });

  test('of the first member whose volume went before there was a cluster: claimed anew', async () => {
    await step('lxd-0', 'gone');
    await step('lxd-0', 'v1');
    expect(await record.read(NEVER)).toMatchObject({ phase: 'claimed', claim: { volume: 'v1' } });
    await step('lxd-0', 'v1');
    expect(made).toHaveLength(1);
  });

  test('of another one: it waits, and makes nothing', async () => {
    expect(await step('lxd-1')).toBe('lxd-0 is to make the cluster');
    await step('lxd-0');
    expect(await step('lxd-1')).toBe('lxd-0 makes the cluster');
    expect(made).toEqual([]);
  });

  test('of the first member on a new volume, once there is a cluster: it asks the others, and makes no second one', async () => {
    await record.create(FORMED);
    await expect(step('lxd-0', 'new')).rejects.toThrow('no member has let this one in yet (there is no other pod)');
    expect(made).toEqual([]);
  });

  test('while Kubernetes is away nothing is made', async () => {
    double.beforeEach = () => {
      throw new Refusal(503, 'ServiceUnavailable', 'away');
    };
    await expect(step('lxd-0')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(made).toEqual([]);
  });

  test('when somebody else was quicker with the record, it is read again', async () => {
    double.beforeEach = async (request) => {
      if (!request.startsWith('POST')) return;
      double.beforeEach = undefined;
      await record.create(FORMED);
    };
    await step('lxd-0');
    expect(await record.read(NEVER)).toMatchObject({ phase: 'formed' });
    expect(made).toEqual([]);
  });
});
