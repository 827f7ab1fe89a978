import { describe, expect, test } from '@jest/globals';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { fullName } from './images.js';
import { observedPod, observedStatefulSet } from './objects.js';
import { alignmentOf } from './read-members.js';

const PARTS = { container: 'lxd', environment: ['BUMP'], statefulSet: 'lxd' };
const container = {
  name: 'lxd',
  image: 'a/lxd:1',
  env: [
    { name: 'BUMP', value: '1' },
    { name: 'OTHER', value: 'x' },
    { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
  ],
  livenessProbe: {},
};
const metadata = { name: 'lxd-0', uid: 'u', resourceVersion: '1', labels: { 'controller-revision-hash': 'lxd-7' } };
const pod = (status: unknown, meta = {}): StoredObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { ...metadata, ...meta },
  spec: { nodeName: 'n1', containers: [{ name: 'side', image: 's' }, container] },
  status,
});

describe('a pod', () => {
  test('is what runs in it, as far as it counts', () => {
    const running = {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'lxd', restartCount: 2 }],
    };
    expect(observedPod(pod(running), PARTS)).toEqual({
      name: 'lxd-0',
      node: 'n1',
      revision: 'lxd-7',
      build: { image: 'a/lxd:1', environment: { BUMP: '1' } },
      phase: 'Running',
      ready: 'yes',
      deleting: 'no',
      restarts: 2,
      probes: ['liveness'],
    });
    expect(observedPod(pod({}, { deletionTimestamp: 'now' }), PARTS)).toMatchObject({ phase: 'Unknown', ready: 'no', deleting: 'yes' });
  });

  test.each([
    [{ reason: 'ContainerCreating' }, undefined],
    [
      { reason: 'ImagePullBackOff', message: 'Back-off pulling' },
      { reason: 'ImagePullBackOff', message: 'Back-off pulling' },
    ],
  ])('that waits with %j has trouble: %j', (waits, trouble) => {
    const status = { phase: 'Pending', containerStatuses: [{ name: 'lxd', state: { waiting: waits } }] };
    expect(observedPod(pod(status), PARTS).trouble).toEqual(trouble);
  });

  test('that crashes says how it ended, and one without a place why', () => {
    const lastState = { terminated: { exitCode: 3, reason: 'Error' } };
    const crashed = [{ name: 'lxd', state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } }, lastState }];
    expect(observedPod(pod({ containerStatuses: crashed }), PARTS).trouble).toEqual({
      reason: 'CrashLoopBackOff',
      message: 'back-off; it ended with exit code 3 (Error)',
    });
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' }];
    expect(observedPod(pod({ phase: 'Pending', conditions }), PARTS).trouble).toEqual({ reason: 'Unschedulable', message: '0/3 nodes' });
  });

  test('without the container of LXD is a wrong configuration', () => {
    expect(() => observedPod(pod({}), { ...PARTS, container: 'other' })).toThrow(/no container other \(but side, lxd\)/);
  });
});

test('a StatefulSet without a strategy replaces its pods by itself', () => {
  const spec = { selector: { matchLabels: {} }, template: { spec: { containers: [container] } } };
  const object: StoredObject = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { ...metadata, name: 'lxd' }, spec };
  expect(observedStatefulSet(object, PARTS)).toEqual({
    name: 'lxd',
    replicas: 1,
    podManagementPolicy: 'OrderedReady',
    updateStrategy: { type: 'RollingUpdate', partition: 0 },
    updateRevision: '',
    template: { build: { image: 'a/lxd:1', environment: { BUMP: '1' } }, probes: ['liveness'] },
  });
});

test.each([
  ['lxd', 'docker.io/library/lxd:latest'],
  ['lab/lxd:5', 'docker.io/lab/lxd:5'],
  ['localhost/lxd:5', 'localhost/lxd:5'],
  ['example.org:5000/a/lxd', 'example.org:5000/a/lxd:latest'],
  ['ghcr.io/a/lxd@sha256:ab', 'ghcr.io/a/lxd@sha256:ab'],
])('the image %s is %s to a node', (image, full) => {
  expect(fullName(image)).toBe(full);
});

test.each([
  ['5.0.2', 'upwards'],
  ['5.0', 'upwards'],
  ['4.0.9', 'upwards'],
  ['5.21.1', 'both'],
  ['6.1', 'both'],
])('members of LXD %s wait %s', (version, alignment) => {
  expect(alignmentOf(version)).toBe(alignment);
});
