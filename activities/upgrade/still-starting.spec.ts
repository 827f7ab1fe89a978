import { describe, expect, test } from '@jest/globals';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Cluster } from './deps.js';
import { stillStarting } from './still-starting.js';

const OLD = { image: 'lxd:1', environment: {} };
const NEW = { image: 'lxd:2', environment: {} };
const [A, B] = ['lxd-a', 'lxd-b'];

interface Pod {
  readonly image?: string;
  readonly phase?: string;
  readonly waits?: string;
  readonly votes?: 'yes' | 'no' | 'unknown';
}

interface Given {
  readonly remembered?: 'no';
  readonly gate?: 'agreement';
}

/** Members a and b, whose pods are `lxd-0` and `lxd-1`; of a pod that is not given there is none. */
async function said(members: readonly string[], pods: Readonly<Record<string, Pod>>, { remembered, gate }: Given = {}) {
  const asked: string[] = [];
  const found = (name: string): StoredObject | undefined => {
    const pod = pods[name];
    if (!pod) return undefined;
    const state = pod.waits === undefined ? {} : { waiting: { reason: pod.waits, message: 'no' } };
    return {
      metadata: { name, uid: `uid of ${name}` },
      spec: { containers: [{ name: 'lxd', image: pod.image ?? NEW.image }] },
      status: { phase: pod.phase ?? 'Running', containerStatuses: [{ name: 'lxd', state, restartCount: 4 }] },
    } as unknown as StoredObject;
  };
  const known = [A, B].map((name, index) => ({ name, pod: `lxd-${index}`, address: `${name}.lxd:8443` }));
  const cluster = {
    config: { container: 'lxd', environment: [] },
    remembered: { members: async () => (remembered === 'no' ? undefined : { members: known }) },
    kube: { find: async (_kind: string, name: string) => found(name) },
    lxd: {
      votes: async ({ name, uid }: { name: string; uid: string }, address: string) => {
        asked.push(`${name} (${uid}) at ${address}`);
        return pods[name]?.votes ?? 'yes';
      },
    },
  } as unknown as Cluster;
  const call = { gate: gate ?? ('member-recorded' as const), members };
  return { outcome: await stillStarting(cluster, call, { build: NEW }, new AbortController().signal), asked };
}

describe('while a member starts, it alone is asked', () => {
  test.each([
    ['its pod is gone', {}, 'The pod of lxd-b is not replaced yet.'],
    ['its pod is the old one', { 'lxd-1': { image: OLD.image } }, 'The pod of lxd-b is not replaced yet.'],
    ['its pod does not run yet', { 'lxd-1': { phase: 'Pending' } }, 'Pod lxd-1 is Pending.'],
  ])('%s: LXD is not asked at all', async (_what, pods, reason) => {
    expect(await said([B], pods)).toEqual({ outcome: expect.objectContaining({ is: 'waiting', reason }), asked: [] });
  });

  test('its pod runs and its database does not answer', async () => {
    expect(await said([B], { 'lxd-1': { votes: 'no' } })).toEqual({
      outcome: { is: 'waiting', reason: 'lxd-b runs; it, or its database, does not answer yet.' },
      asked: ['lxd-1 (uid of lxd-1) at lxd-b.lxd:8443'],
    });
  });

  test('of several the first that keeps it waiting is told', async () => {
    const { outcome } = await said([A, B], { 'lxd-0': {}, 'lxd-1': { votes: 'no' } });
    expect(outcome).toMatchObject({ is: 'waiting', reason: expect.stringContaining('lxd-b') });
  });
});

describe('all are to be looked at', () => {
  test.each([
    ['when its database answers', { 'lxd-1': {} }, {}],
    ['when that cannot be known', { 'lxd-1': { votes: 'unknown' } }, {}],
    ['when its pod will not run, which is for the gate to say', { 'lxd-1': { waits: 'CrashLoopBackOff' } }, {}],
    ['when nothing is known of it from before', {}, { remembered: 'no' }],
    ['at other gates', {}, { gate: 'agreement' }],
  ] as const)('%s', async (_what, pods, given) => {
    expect((await said([B], pods, given)).outcome).toBeUndefined();
  });

  test('when one of several will not run, though another starts', async () => {
    const { outcome } = await said([A, B], { 'lxd-0': { phase: 'Pending' }, 'lxd-1': { waits: 'CrashLoopBackOff' } });
    expect(outcome).toBeUndefined();
  });
});

test('a pod that cannot be read is an error, for the watch to tell', async () => {
  const error = new PlatformError('UNAVAILABLE', 'the API server is away');
  const cluster = {
    remembered: { members: async () => ({ members: [{ name: A, pod: 'lxd-0', address: 'a:8443' }] }) },
    kube: { find: () => Promise.reject(error) },
  } as unknown as Cluster;
  const asked = stillStarting(cluster, { gate: 'member-recorded', members: [A] }, { build: NEW }, new AbortController().signal);
  await expect(asked).rejects.toBe(error);
});
