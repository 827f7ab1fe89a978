import { describe, expect, test } from '@jest/globals';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { ObservedPod } from '#libs/domain/upgrade/observed.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { freeNodesOf } from './free-nodes.js';

const LABELS = { app: 'lxd' };
const ALONE = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: LABELS } }],
  },
};

function node(
  name: string,
  { spec = {}, labels = {}, ready = 'True' }: { spec?: object; labels?: Record<string, string>; ready?: string } = {},
): StoredObject {
  const metadata = { name, uid: name, resourceVersion: '1', labels: { 'kubernetes.io/hostname': name, ...labels } };
  return { apiVersion: 'v1', kind: 'Node', metadata, spec, status: { conditions: [{ type: 'Ready', status: ready }] } };
}

function free(nodes: readonly StoredObject[], { pod = {}, on = [] }: { pod?: object; on?: readonly string[] } = {}) {
  const template = { metadata: { labels: LABELS }, spec: { containers: [], affinity: ALONE, ...pod } };
  const metadata = { name: 'lxd', uid: 's', resourceVersion: '1' };
  const statefulSet: StoredObject = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata,
    spec: { selector: { matchLabels: LABELS }, template },
  };
  const kube = { list: async () => nodes } as unknown as KubernetesClient;
  return freeNodesOf(kube, { statefulSet, pods: on.map((name) => ({ node: name }) as ObservedPod) }, new AbortController().signal);
}

const drawn = (...matchExpressions: object[]) => ({
  affinity: { ...ALONE, nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } } },
});

describe('nodes for one more member', () => {
  test('are those that have none', async () => {
    expect(await free([node('a'), node('b'), node('c')], { on: ['b'] })).toBe(2);
  });

  test('do not matter where several members may be on one', async () => {
    const other = {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector: { matchLabels: LABELS } }],
      },
    };
    expect(await free([], { pod: { affinity: other } })).toBe('any');
    expect(await free([], { pod: { affinity: {} } })).toBe('any');
  });

  test.each([
    [{ key: 'app', operator: 'In', values: ['lxd'] }, 1],
    [{ key: 'app', operator: 'In', values: ['web'] }, 'any'],
    [{ key: 'app', operator: 'Exists' }, 1],
  ])('matter also where %j says which pods may not be together', async (expression, expected) => {
    const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchExpressions: [expression] } };
    const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
    expect(await free([node('a'), node('b')], { pod: { affinity }, on: ['b'] })).toBe(expected);
  });

  test.each([
    ['cordoned', { spec: { unschedulable: true } }],
    ['not ready', { ready: 'False' }],
    ['tainted', { spec: { taints: [{ key: 'x', effect: 'NoSchedule' }] } }],
  ])('are not those that are %s', async (_what, about) => {
    expect(await free([node('a', about), node('b')])).toBe(1);
  });

  test('are tainted ones, too, where the pod tolerates that, or the taint is a wish', async () => {
    const nodes = [
      node('a', { spec: { taints: [{ key: 'x', effect: 'NoSchedule' }] } }),
      node('b', { spec: { taints: [{ key: 'y', effect: 'PreferNoSchedule' }] } }),
    ];
    expect(await free(nodes, { pod: { tolerations: [{ key: 'x', operator: 'Exists' }] } })).toBe(2);
  });

  test.each([
    [{ nodeSelector: { disk: 'ssd' } }, 1],
    [drawn({ key: 'disk', operator: 'In', values: ['ssd', 'nvme'] }), 1],
    [drawn({ key: 'disk', operator: 'NotIn', values: ['ssd'] }), 1],
    [drawn({ key: 'disk', operator: 'Exists' }), 1],
    [drawn({ key: 'disk', operator: 'DoesNotExist' }), 1],
    [drawn({ key: 'disk', operator: 'Exists' }, { key: 'kubernetes.io/hostname', operator: 'In', values: ['b'] }), 0],
    [drawn({ key: 'disk', operator: 'Gt', values: ['1'] }), 2],
  ])('are those that labels allow: %j', async (pod, expected) => {
    expect(await free([node('a', { labels: { disk: 'ssd' } }), node('b')], { pod })).toBe(expected);
  });
});
