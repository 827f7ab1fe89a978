import { describe, expect, test } from '@jest/globals';
import { clustersSchema } from '#libs/config/clusters.js';
import type { Acting } from '#libs/contracts/activities.js';
import type { NewObject, StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { PodDeletion } from '#libs/contracts/upgrade-activities.js';
import type { Call } from '../shared/guard.js';
import { deletePodsSteps } from './delete-pods.js';
import type { UpgradeDeps } from './deps.js';

const OLD = { image: 'a/lxd:1', environment: {} };
const NEW = { image: 'a/lxd:2', environment: {} };
const acting: Acting = { kind: 'upgrade', name: 'cluster-c1', operationId: 'op', uid: '' };
const call = {
  signal: new AbortController().signal,
  me: { workflowId: 'u', runId: 'r' },
  attempt: 1,
  sinceMs: () => 0,
  waiting: () => undefined,
};
const container = ({ image }: { readonly image: string }) => ({ name: 'lxd', image });
const pod = (name: string): StoredObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, uid: `${name}-1`, resourceVersion: '1', labels: { 'controller-revision-hash': 'old' } },
  spec: { nodeName: `node-of-${name}`, containers: [container(OLD)] },
});
const statefulSet: StoredObject = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'lxd', uid: 's', resourceVersion: '1', generation: 2 },
  spec: { replicas: 2, selector: { matchLabels: { app: 'lxd' } }, template: { spec: { containers: [container(NEW)] } } },
  status: { observedGeneration: 2, updateRevision: 'new' },
};

/** What was done to the pods of a cluster of that storage, in its order. */
async function deleted(storage: object, changes: Partial<PodDeletion>): Promise<string[]> {
  const [config] = clustersSchema.parse([{ name: 'c1', namespace: 'lxd8s', storage }]);
  const done: string[] = [];
  const pods = new Map(['lxd-0', 'lxd-1'].map((name) => [name, pod(name)]));
  const kube = {
    get: async () => statefulSet,
    find: async (_kind: string, name: string) => pods.get(name),
    create: async (_kind: string, { metadata, spec }: NewObject & { spec?: { nodeName?: string } }) =>
      done.push(`${metadata.name.replace(/[0-9a-f]{10}$/, '…')} on ${spec?.nodeName}`),
    delete: async (_kind: string, name: string) => {
      done.push(`${name} deleted`);
      pods.delete(name);
    },
  };
  const locks = { assertHeld: async () => undefined, read: async () => undefined };
  const clusters = { get: () => ({ config, kube }) };
  const steps = deletePodsSteps({ locks, clusters } as unknown as UpgradeDeps);
  const deletion: PodDeletion = { pods: ['lxd-0', 'lxd-1'], members: ['a', 'b'], build: NEW, quorum: 'lost-on-purpose', ...changes };
  await steps.deletePods(call as Call, acting, { cluster: 'c1', hash: 'h', kind: 'lockstep-parallel' }, deletion);
  return done;
}

describe('pods that are deleted together', () => {
  const LONGHORN = { kind: 'longhorn' };

  test('have their places kept first, where volumes follow them: each on the node of its data', async () => {
    expect(await deleted(LONGHORN, { nodes: { a: 'node-1', b: 'node-2' } })).toEqual([
      'lxd-place-… on node-1',
      'lxd-place-… on node-2',
      'lxd-0 deleted',
      'lxd-1 deleted',
    ]);
  });

  test('no place is kept for a member that moves, as the plan says', async () => {
    expect(await deleted(LONGHORN, { nodes: { b: 'node-2' } })).toEqual(['lxd-place-… on node-2', 'lxd-0 deleted', 'lxd-1 deleted']);
  });

  test('none is kept where nobody watches the storage', async () => {
    expect(await deleted({ kind: 'unwatched' }, { nodes: { a: 'node-1', b: 'node-2' } })).toEqual(['lxd-0 deleted', 'lxd-1 deleted']);
  });
});
