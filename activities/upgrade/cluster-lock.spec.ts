import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { clustersSchema } from '#libs/config/clusters.js';
import type { Acting } from '#libs/contracts/activities.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import type { ObservedCluster } from '#libs/domain/upgrade/observed.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { createLogger } from '#libs/logging/logger.js';
import { type KubernetesDouble, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { LOCK_GRACE_MS, Locks } from '../kubernetes/lock.js';
import type { Call, Holder } from '../shared/guard.js';
import type { RunState, WorkflowRuns } from '../shared/workflow-runs.js';
import { clusterLockSteps } from './cluster-lock.js';
import { Clusters, type UpgradeDeps } from './deps.js';
import { markReplacing, noteReplacing, replacingOf } from './replacing.js';

let double: KubernetesDouble;
let kube: KubernetesClient;
let deps: UpgradeDeps;
const states = new Map<string, RunState>();
const acting = (operationId: string): Acting => ({ kind: 'upgrade', name: 'cluster-c1', operationId, uid: '' });
const callOf = (operationId: string): Call => ({
  signal: new AbortController().signal,
  me: { workflowId: `upgrade:cluster-c1:${operationId}`, runId: operationId },
  attempt: 1,
  sinceMs: () => 0,
  waiting: () => undefined,
});

beforeEach(async () => {
  states.clear();
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'webspaces' });
  const runs = { describe: async ({ runId }: Holder) => states.get(runId) ?? { is: 'open' } } as unknown as WorkflowRuns;
  const clusters = new Clusters(clustersSchema.parse([{ name: 'c1', namespace: 'lxd8s' }]), kube);
  deps = {
    locks: new Locks(kube, runs),
    clusters,
    copiesFolder: '/nonexistent',
    log: createLogger({ name: 'spec', level: 'silent' }),
    leadAwayFromMembers: async () => undefined,
    runs,
  } as UpgradeDeps;
});
afterEach(async () => {
  await kube.close();
  await double.close();
});

const take = (operationId: string) => clusterLockSteps(deps).takeClusterLock(callOf(operationId), acting(operationId), 'c1');
const finish = (operationId: string) => clusterLockSteps(deps).finishUpgrade(callOf(operationId), acting(operationId), 'c1');
const lease = () => kube.find('lease', 'cluster-c1');

describe('one upgrade per cluster', () => {
  test('a second is refused at once and told which runs; the first may take it twice', async () => {
    await take('one');
    await take('one');
    await expect(take('two')).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('upgrade:cluster-c1:one') });
  });

  test('one that has ended long ago is taken over', async () => {
    await take('one');
    states.set('one', { is: 'closed', closedAtMs: Date.now() - LOCK_GRACE_MS });
    await take('two');
    expect((await lease())?.['spec']).toMatchObject({ holderIdentity: 'upgrade:cluster-c1:two/two' });
  });

  test('a cluster that is not configured is not locked', async () => {
    const steps = clusterLockSteps(deps);
    await expect(steps.takeClusterLock(callOf('one'), acting('one'), 'c2')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await lease()).toBeUndefined();
  });

  test('its end removes its own throw-away pods and lock, and no other ones', async () => {
    const pods = kube.in('lxd8s');
    for (const [name, operation] of [
      ['lxd-pull-1', 'one'],
      ['lxd-probe-2', 'two'],
    ] as const) {
      await pods.create('wholePod', { metadata: { name, labels: { [UPGRADE_KEYS.operation]: operation } } });
    }
    await take('one');
    await finish('two');
    expect((await pods.list('wholePod')).map(({ metadata }) => metadata.name)).toEqual(['lxd-pull-1']);
    expect(await lease()).toBeDefined();
    await finish('one');
    await finish('one');
    expect(await pods.list('wholePod')).toEqual([]);
    expect(await lease()).toBeUndefined();
  });
});

describe('members that are replaced', () => {
  const member = (name: string, answers: string) => ({ name, pod: name, answers });
  const observed = (...members: object[]) =>
    ({ members, pods: ['lxd-0', 'lxd-1'].map((name) => ({ name, deleting: 'no' })) }) as unknown as ObservedCluster;
  const marked = async () => replacingOf((await lease())?.metadata.annotations);
  const note = (...members: object[]) => noteReplacing(deps, callOf('one'), acting('one'), observed(...members));

  test('are marked until each serves again', async () => {
    await take('one');
    await markReplacing(deps, callOf('one'), acting('one'), ['lxd-1', 'lxd-0']);
    expect(await marked()).toEqual(['lxd-0', 'lxd-1']);
    await note(member('lxd-0', 'waiting'), member('lxd-1', 'serving'));
    expect(await marked()).toEqual(['lxd-0']);
    await note(member('lxd-0', 'serving'), member('lxd-1', 'serving'));
    expect((await lease())?.metadata.annotations).not.toHaveProperty(UPGRADE_KEYS.replacing);
  });

  test('are marked by nobody who does not hold the lock', async () => {
    await take('one');
    await markReplacing(deps, callOf('two'), acting('two'), ['lxd-0']);
    expect(await marked()).toEqual([]);
  });
});
