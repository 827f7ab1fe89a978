import { expect, test } from '@jest/globals';
import { clustersSchema } from '#libs/config/clusters.js';
import type { Acting } from '#libs/contracts/activities.js';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { Call } from '../shared/guard.js';
import type { UpgradeDeps } from './deps.js';
import { recreateSteps } from './recreate.js';

const acting: Acting = { kind: 'upgrade', name: 'cluster-c1', operationId: 'op', uid: '' };
const plan = { cluster: 'c1', hash: 'h', kind: 'lockstep-parallel' } as const;
const labels = { app: 'lxd' };
const statefulSet = (deletionTimestamp?: string): StoredObject => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'lxd', uid: 'old', resourceVersion: '1', ...(deletionTimestamp ? { deletionTimestamp } : {}) },
  spec: { replicas: 2, podManagementPolicy: 'OrderedReady', selector: { matchLabels: labels }, template: { spec: { containers: [] } } },
});
const pod = (name: string, more: object = {}): StoredObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, uid: name, resourceVersion: '1', labels, ...more },
});

/** What is done to a StatefulSet with those pods, in its order; its pods get an owner with the third look. */
async function recreated(found: StoredObject, pods: readonly StoredObject[]): Promise<string[]> {
  const [config] = clustersSchema.parse([{ name: 'c1', namespace: 'lxd8s', storage: { kind: 'unwatched' } }]);
  const done: string[] = [];
  let kept: StoredObject | undefined = found;
  let there: StoredObject | undefined = found;
  let looks = 0;
  const kube = {
    find: async () => {
      const now = there;
      if (done.includes('deleted') || found.metadata.deletionTimestamp) there = undefined;
      return now;
    },
    list: async () => {
      looks += 1;
      done.push('looked at pods');
      return looks < 3 ? pods : pods.map((one) => ({ ...one, metadata: { ...one.metadata, ownerReferences: [{ uid: 'old' }] } }));
    },
    delete: async () => void done.push('deleted'),
    create: async (_kind: string, { spec }: { spec: { podManagementPolicy: string } }) =>
      void done.push(`created as ${spec.podManagementPolicy}`),
  };
  const remembered = {
    name: 'lxd-upgrade',
    statefulSet: async () => kept,
    keepStatefulSet: async (object: StoredObject | undefined) => {
      kept = object;
    },
  };
  const deps = { locks: { assertHeld: async () => undefined }, clusters: { get: () => ({ config, kube, remembered }) } };
  const call = {
    signal: AbortSignal.timeout(10_000),
    me: { workflowId: 'u', runId: 'r' },
    attempt: 1,
    sinceMs: () => 0,
    waiting: () => undefined,
  };
  await recreateSteps(deps as unknown as UpgradeDeps).recreateStatefulSet(call as Call, acting, plan, { podManagementPolicy: 'Parallel' });
  return done;
}

test('a StatefulSet is deleted around its pods once they are its own', async () => {
  const done = await recreated(statefulSet(), [pod('lxd-0')]);
  expect(done).toEqual(['looked at pods', 'looked at pods', 'looked at pods', 'deleted', 'created as Parallel']);
});

test('a pod that is being deleted need not be its own any more', async () => {
  const done = await recreated(statefulSet(), [pod('lxd-0', { deletionTimestamp: 'now' }), pod('other')]);
  expect(done).toEqual(['looked at pods', 'deleted', 'created as Parallel']);
});

test('one that is being deleted already is waited for, whatever its pods say', async () => {
  expect(await recreated(statefulSet('now'), [pod('lxd-0')])).toEqual(['deleted', 'created as Parallel']);
});
