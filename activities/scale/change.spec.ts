import { describe, expect, test } from '@jest/globals';
import { clustersSchema } from '#libs/config/clusters.js';
import type { Acting } from '#libs/contracts/activities.js';
import type { NewObject, StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { OfPlan } from '#libs/contracts/upgrade-activities.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Call } from '../shared/guard.js';
import type { UpgradeDeps } from '../upgrade/deps.js';
import { changeScaleSteps } from './change.js';

const acting: Acting = { kind: 'scale', name: 'cluster-c1', operationId: 'op', uid: '' };
const of: OfPlan = { cluster: 'c1', hash: 'h', kind: 'shrink' };
const call = {
  signal: new AbortController().signal,
  me: { workflowId: 'scale:cluster-c1:op', runId: 'r' },
  attempt: 1,
  sinceMs: () => 0,
  waiting: () => undefined,
} as Call;
const [config] = clustersSchema.parse([{ name: 'c1', namespace: 'lxd8s', pollSeconds: 0.2 }]);

interface Scene {
  readonly members?: readonly string[];
  readonly pods?: readonly string[];
  readonly asked?: number;
  readonly rows?: readonly (readonly [string, string, string])[];
  readonly claims?: readonly string[];
  /** Members whose LXD does not answer. */
  readonly silent?: readonly string[];
  readonly lockLost?: true;
}

const SERVER = { certificate_fingerprint: 'f', server_name: 'lxd-0', server_version: '5.0.2', server_clustered: true, architectures: [] };
const container = { name: 'lxd', image: 'a/lxd:1' };
const object = (kind: string, name: string, rest: object = {}): StoredObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, uid: `uid-of-${name}`, resourceVersion: '1', labels: { app: 'lxd' } },
  ...rest,
});

/** The steps on a cluster of three, and what they did to it. */
function stage({
  members = ['lxd-0', 'lxd-1', 'lxd-2'],
  pods = members,
  asked = pods.length,
  rows = [],
  claims = [],
  silent = [],
  lockLost,
}: Scene = {}) {
  const done: string[] = [];
  const left = new Set(claims);
  let replicas = asked;
  const statefulSet = () =>
    object('StatefulSet', 'lxd', {
      spec: {
        replicas,
        selector: { matchLabels: { app: 'lxd' } },
        volumeClaimTemplates: [{ metadata: { name: 'state' } }],
        template: { spec: { containers: [container] } },
      },
    });
  const kube = {
    get: async () => statefulSet(),
    find: async (_kind: string, name: string) => (left.has(name) ? object('PersistentVolumeClaim', name) : undefined),
    list: async (kind: string) =>
      kind === 'wholePod'
        ? pods.map((name) => object('Pod', name, { spec: { nodeName: name, containers: [container] }, status: { phase: 'Running' } }))
        : [...left].map((name) => object('PersistentVolumeClaim', name)),
    apply: async (_kind: string, { spec }: NewObject & { spec?: { replicas: number } }, { fieldManager }: { fieldManager?: string }) => {
      replicas = spec?.replicas ?? 0;
      done.push(`${JSON.stringify(spec)} by ${fieldManager}`);
      return statefulSet();
    },
    delete: async (_kind: string, name: string, { uid }: { uid?: string }) => {
      done.push(`${name} deleted, if it is ${uid}`);
      left.delete(name);
    },
  };
  const listed = members.map((name) => ({
    server_name: name,
    url: `https://${name}:8443`,
    roles: ['database'],
    architecture: 'x86_64',
    status: 'Online',
    message: '',
  }));
  const said = [
    { auth: 'trusted', api_extensions: [], config: {}, environment: SERVER },
    listed,
    { Results: [{ rows: members.map((name) => [name, 1, 1, 0]) }] },
  ];
  const lxd = {
    look: async ({ name }: { readonly name: string }) =>
      silent.includes(name) ? { answers: 'silent' } : { answers: 'serving', said: () => said },
    ask: async (pod: string, [{ method, path }]: readonly [{ method?: string; path: string }]) => {
      if (method === 'DELETE') {
        done.push(`${path} asked of ${pod}`);
        return [{}];
      }
      return [{ Results: [{ rows }] }];
    },
  };
  const locks = {
    read: async () => undefined,
    assertHeld: async () => {
      if (lockLost) throw new PlatformError('CONFLICT', 'The lock is lost.');
    },
  };
  const clusters = { get: () => ({ config, kube, lxd, remembered: { members: async () => undefined } }) };
  return { done, steps: changeScaleSteps({ locks, clusters } as unknown as UpgradeDeps) };
}

describe('replicas', () => {
  test('are all that is applied, under a manager of their own', async () => {
    const { done, steps } = stage();
    await steps.setReplicas(call, acting, of, { replicas: 2, lost: [] });
    expect(done).toEqual(['{"replicas":2} by webspaces-replicas']);
  });

  test.each([
    ['an instance', 'instance', 'web'],
    ['a custom volume', 'volume', 'data'],
    ['an image that nobody else has', 'image', '0a1b2c3d4e5f'],
  ])('do not end the pod of a member with %s, unless it is given up', async (_what, kind, name) => {
    const { done, steps } = stage({ rows: [['lxd-2', kind, name]] });
    await expect(steps.setReplicas(call, acting, of, { replicas: 2, lost: [] })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(done).toEqual([]);
    const givenUp = { replicas: 2, lost: ['lxd-2'] };
    await expect(steps.setReplicas(call, acting, of, givenUp)).rejects.toThrow(/lxd-2, which is back, does not go/);
    expect(done).toEqual([]);
    const away = stage({ rows: [['lxd-2', kind, name]], silent: ['lxd-2'] });
    await away.steps.setReplicas(call, acting, of, givenUp);
    expect(away.done).toHaveLength(1);
  });

  test('wait until those that stay have a majority again', async () => {
    const silent = ['lxd-1'];
    const { done, steps } = stage({ silent });
    setTimeout(() => {
      done.push('lxd-1 is back');
      silent.length = 0;
    }, 200);
    await steps.setReplicas(call, acting, of, { replicas: 2, lost: [], still: [{ gate: 'quorum-margin', members: ['lxd-2'] }] });
    expect(done).toEqual(['lxd-1 is back', '{"replicas":2} by webspaces-replicas']);
  });

  test('stay when the lock is lost', async () => {
    const { done, steps } = stage({ lockLost: true });
    await expect(steps.setReplicas(call, acting, of, { replicas: 4, lost: [] })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(done).toEqual([]);
  });
});

describe('a member', () => {
  const pods = ['lxd-0', 'lxd-1'];

  test('is taken out by another one, by force since its pod is gone', async () => {
    const { done, steps } = stage({ pods });
    await steps.removeMember(call, acting, of, { member: 'lxd-2', lost: [] });
    expect(done).toEqual(['/1.0/cluster/members/lxd-2?force=1 asked of lxd-0']);
  });

  test('that is none any more needs nothing', async () => {
    const { done, steps } = stage({ members: pods });
    await steps.removeMember(call, acting, of, { member: 'lxd-2', lost: [] });
    expect(done).toEqual([]);
  });

  test.each<[string, Scene]>([
    ['its pod is there', {}],
    ['somebody asks for its pod again', { pods, asked: 3 }],
    ['an instance is on it', { pods, rows: [['lxd-2', 'instance', 'web']] }],
    ['the lock is lost', { pods, lockLost: true }],
  ])('stays when %s', async (_why, scene) => {
    const { done, steps } = stage(scene);
    await expect(steps.removeMember(call, acting, of, { member: 'lxd-2', lost: [] })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(done).toEqual([]);
  });
});

describe('claims', () => {
  const claims = ['state-lxd-0', 'state-lxd-1', 'state-lxd-2', 'other-lxd-2'];
  const deletion = { member: 'lxd-2', claims: ['state-lxd-2', 'state-lxd-0'] };

  test('of the member that is gone are deleted, and of nobody else', async () => {
    const { done, steps } = stage({ members: ['lxd-0', 'lxd-1'], claims });
    await steps.deleteClaims(call, acting, of, deletion);
    expect(done).toEqual(['state-lxd-2 deleted, if it is uid-of-state-lxd-2']);
    await steps.deleteClaims(call, acting, of, deletion);
    expect(done).toHaveLength(1);
  });

  test.each<[string, Scene]>([
    ['it is a member', { pods: ['lxd-0', 'lxd-1'], claims }],
    ['its pod is there', { members: ['lxd-0', 'lxd-1'], pods: ['lxd-0', 'lxd-1', 'lxd-2'], claims }],
    ['the lock is lost', { members: ['lxd-0', 'lxd-1'], claims, lockLost: true }],
  ])('stay while %s', async (_why, scene) => {
    const { done, steps } = stage(scene);
    await expect(steps.deleteClaims(call, acting, of, deletion)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(done).toEqual([]);
  });
});
