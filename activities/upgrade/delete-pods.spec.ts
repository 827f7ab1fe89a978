import { describe, expect, test } from '@jest/globals';
import { clustersSchema } from '#libs/config/clusters.js';
import type { Acting } from '#libs/contracts/activities.js';
import type { NewObject, StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { PodDeletion } from '#libs/contracts/upgrade-activities.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import { failed, passed } from '#libs/domain/upgrade/gate-outcomes.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { TemplateWay } from '#libs/gitops/types.js';
import { createLogger } from '#libs/logging/logger.js';
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
const log = createLogger({ name: 'spec', level: 'silent' });
const container = ({ image }: { readonly image: string }) => ({ name: 'lxd', image });
const pod = (name: string): StoredObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, uid: `${name}-1`, resourceVersion: '1', labels: { 'controller-revision-hash': 'old', app: 'lxd' } },
  spec: { nodeName: `node-of-${name}`, containers: [container(OLD)] },
  status: { phase: 'Running' },
});
const statefulSetOf = (build: { readonly image: string }): StoredObject => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'lxd', uid: 's', resourceVersion: '1', generation: 2 },
  spec: { replicas: 2, selector: { matchLabels: { app: 'lxd' } }, template: { spec: { containers: [container(build)] } } },
  status: { observedGeneration: 2, updateRevision: 'new' },
});

/** Of a member that serves: the server, the members, and their rows. */
function lxdSays(names: readonly string[]): unknown[] {
  const environment = {
    certificate_fingerprint: 'f',
    server_name: 'lxd-0',
    server_version: '5.0.2',
    server_clustered: true,
    architectures: [],
  };
  const member = (name: string) => ({
    ...{ server_name: name, url: `https://${name}:8443`, roles: ['database'], architecture: 'x86_64', status: 'Online', message: '' },
  });
  return [
    { auth: 'trusted', api_extensions: [], config: {}, environment },
    names.map(member),
    { Results: [{ rows: names.map((name) => [name, 1, 1, 0]) }] },
  ];
}

/** What was done to the pods of a cluster of that storage, in its order. */
async function deleted(
  storage: object,
  changes: Partial<PodDeletion>,
  {
    template = NEW,
    way,
    webspaces = false,
    refuses,
    done = [],
    annotations = {},
    silent = [],
  }: {
    readonly template?: typeof NEW;
    readonly way?: Pick<TemplateWay, 'read'>;
    readonly webspaces?: boolean;
    /** A pod that Kubernetes does not delete. */
    readonly refuses?: string;
    readonly done?: string[];
    /** Of the Lease. */
    readonly annotations?: Record<string, string | undefined>;
    /** Members whose LXD does not answer. */
    readonly silent?: readonly string[];
  } = {},
): Promise<string[]> {
  const [config] = clustersSchema.parse([{ name: 'c1', namespace: 'lxd8s', storage, webspaces }]);
  const pods = new Map(['lxd-0', 'lxd-1'].map((name) => [name, pod(name)]));
  const kube = {
    get: async () => statefulSetOf(template),
    find: async (_kind: string, name: string) => pods.get(name),
    list: async (kind: string) => (kind === 'wholePod' ? [...pods.values()] : []),
    create: async (_kind: string, { metadata, spec }: NewObject & { spec?: { nodeName?: string } }) =>
      done.push(`${metadata.name.replace(/[0-9a-f]{10}$/, '…')} on ${spec?.nodeName}`),
    delete: async (_kind: string, name: string) => {
      if (name === refuses) throw new PlatformError('FORBIDDEN', `Kubernetes does not delete ${name}.`);
      done.push(`${name} deleted`);
      pods.delete(name);
    },
  };
  const locks = {
    assertHeld: async () => undefined,
    busyReason: async () => undefined,
    read: async () => ({ holder: call.me, lease: { metadata: { annotations } } }),
    annotate: async (_lock: object, changes: object) => void Object.assign(annotations, changes),
  };
  const lxd = {
    look: async ({ name }: { readonly name: string }) =>
      silent.includes(name) ? { answers: 'silent' } : { answers: 'serving', said: () => lxdSays([...pods.keys()]) },
  };
  const clusters = {
    get: () => ({ config, kube, way, lxd, remembered: { members: async () => undefined, keepMembers: async () => undefined } }),
  };
  const leadAwayFromMembers = async (_call: Call, members: readonly string[]) =>
    void done.push(`visitors led away from ${members.join(' and ')}`);
  const steps = deletePodsSteps({ locks, clusters, leadAwayFromMembers, log } as unknown as UpgradeDeps);
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

test('of the cluster of the webspaces: visitors are led away from their members first', async () => {
  expect(await deleted({ kind: 'unwatched' }, {}, { webspaces: true })).toEqual([
    'visitors led away from a and b',
    'lxd-0 deleted',
    'lxd-1 deleted',
  ]);
});

test('one that Kubernetes does not delete stands no longer as being replaced; one that is deleted does', async () => {
  const annotations: Record<string, string | undefined> = {};
  const answer = deleted({ kind: 'unwatched' }, {}, { webspaces: true, refuses: 'lxd-1', annotations });
  await expect(answer).rejects.toMatchObject({ code: 'FORBIDDEN', details: expect.not.objectContaining({ deleted: 'none' }) });
  expect(annotations[UPGRADE_KEYS.replacing]).toBe('a');
});

test('a pod is deleted only when the others, which days before let a gate pass, let it pass now', async () => {
  const aim = { build: NEW, versions: { schema: 1, apiExtensions: 1 }, probes: [], nodes: {}, stuckSeconds: 1 };
  const still = [{ call: { gate: 'members-online', members: ['lxd-1'] }, aim }] as const;
  const [done, silent]: [string[], string[]] = [[], ['lxd-1']];
  setTimeout(() => {
    done.push('lxd-1 serves');
    silent.length = 0;
  }, 200);
  const one = { pods: ['lxd-0'], members: ['lxd-0'], quorum: 'no-margin', still } as const;
  expect(await deleted({ kind: 'unwatched' }, one, { done, silent })).toEqual(['lxd-1 serves', 'lxd-0 deleted']);
});

describe('pods whose template was merged', () => {
  const proposal = { number: 3, url: 'https://git.example/pull/3', branch: 'webspaces/x', values: [] };
  const STORAGE = { kind: 'unwatched' };
  const takenBack = { read: async () => failed('carol took them back, by commit c0ffee.', 'Ask carol why.') };

  test.each([
    ['which the cluster has not noticed', NEW, /^No pod is deleted\. carol took them back, by commit c0ffee/],
    ['which the cluster has followed', OLD, /shows a\/lxd:1, not a\/lxd:2: no pod is deleted\. carol took them back, by commit c0ffee/],
  ])('stay when somebody took it back, %s, and it is said who', async (_case, template, says) => {
    const answer = deleted(STORAGE, { proposal }, { template, way: takenBack });
    await expect(answer).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringMatching(says), details: { deleted: 'none' } });
  });

  test('are deleted while it stands, and by what the cluster shows when the repository does not answer', async () => {
    const away = {
      read: async () => {
        throw new PlatformError('UNAVAILABLE', 'GitHub gave no answer.');
      },
    };
    for (const way of [{ read: async () => passed('Merged.') }, away])
      expect(await deleted(STORAGE, { proposal }, { way })).toEqual(['lxd-0 deleted', 'lxd-1 deleted']);
  });

  test('stay when somebody took it back while visitors were led away, and no member stands as being replaced', async () => {
    const [done, annotations]: [string[], Record<string, string | undefined>] = [[], {}];
    const way = { read: async () => (done.length === 0 ? passed('Merged.') : takenBack.read()) };
    const answer = deleted(STORAGE, { proposal }, { way, webspaces: true, done, annotations });
    await expect(answer).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringMatching(/^No pod is deleted\. carol/) });
    expect(done).toEqual(['visitors led away from a and b']);
    expect(annotations[UPGRADE_KEYS.replacing]).toBeUndefined();
  });
});
