import { describe, expect, test } from '@jest/globals';
import { clustersSchema } from '#libs/config/clusters.js';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import type { Cluster } from './deps.js';
import { placePod, probePod, pullPod } from './throw-away.js';

const [config] = clustersSchema.parse([{ name: 'c1', namespace: 'lxd8s' }]);
const cluster = { config } as unknown as Cluster;
const build = { image: 'a/lxd:2', environment: { LXD_ARTIFICIALLY_BUMP_API_EXTENSIONS: '1' } };

function template(spec: object, rest: object = {}): StoredObject {
  const container = {
    name: 'lxd',
    image: 'a/lxd:1',
    imagePullPolicy: 'Never',
    env: [
      { name: 'LXD_ARTIFICIALLY_BUMP_API_EXTENSIONS', value: '0' },
      { name: 'OTHER', value: 'x' },
    ],
    securityContext: { privileged: true },
    lifecycle: { postStart: { exec: { command: ['join'] } } },
    readinessProbe: {},
    ports: [{ containerPort: 8443, hostPort: 8443 }],
    resources: { requests: { memory: '64Gi' } },
    volumeMounts: [
      { name: 'state', mountPath: '/var/lib/lxd' },
      { name: 'modules', mountPath: '/lib/modules' },
    ],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'lxd', uid: 'u', resourceVersion: '1' },
    spec: {
      selector: { matchLabels: { app: 'lxd' } },
      template: { metadata: { labels: { app: 'lxd' } }, spec: { containers: [container, { name: 'side', image: 's' }], ...spec } },
      ...rest,
    },
  };
}

describe('a throw-away instance', () => {
  const claims = { volumeClaimTemplates: [{ metadata: { name: 'state' } }] };
  const modules = { name: 'modules', hostPath: { path: '/lib/modules' } };
  const probe = (object: StoredObject) => probePod(cluster, object, { operationId: 'op', build, node: 'n1' });

  test('is started by the command for that, where the image starts something else', () => {
    const config = { ...cluster.config, aloneCommand: ['lxd'] };
    const asked = template({ containers: [{ name: 'lxd', image: 'a/lxd:1', env: [], volumeMounts: [], args: ['--config', 'x'] }] }, claims);
    const { spec } = probePod({ ...cluster, config } as unknown as Cluster, asked, { operationId: 'op', build, node: 'n1' }) as unknown as {
      spec: { containers: object[] };
    };
    expect(spec.containers[0]).toMatchObject({ command: ['lxd'] });
    expect(spec.containers[0]).not.toHaveProperty('args');
  });

  test('has the devices of a member, and not its room', () => {
    const limits = { memory: '64Gi', 'hugepages-2Mi': '1Gi', 'devices.kubevirt.io/kvm': '1' };
    const asked = template({ containers: [{ name: 'lxd', image: 'a/lxd:1', env: [], volumeMounts: [], resources: { limits } }] }, claims);
    const { containers } = probe(asked)['spec'] as { containers: object[] };
    expect(containers[0]).toMatchObject({ resources: { limits: { 'devices.kubevirt.io/kvm': '1' } } });
    expect(Object.keys((containers[0] as { resources: { limits: object } }).resources.limits)).toHaveLength(1);
  });

  test('runs the build on a node of the members, alone', () => {
    const spec = { hostNetwork: true, serviceAccountName: 'lxd', affinity: {}, volumes: [modules], imagePullSecrets: [{ name: 'pull' }] };
    expect(probe(template(spec, claims))['spec']).toEqual({
      nodeName: 'n1',
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      imagePullSecrets: [{ name: 'pull' }],
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'lxd',
          image: 'a/lxd:2',
          imagePullPolicy: 'Never',
          env: [
            { name: 'OTHER', value: 'x' },
            { name: 'LXD_ARTIFICIALLY_BUMP_API_EXTENSIONS', value: '1' },
          ],
          securityContext: { privileged: true },
          volumeMounts: [
            { name: 'state', mountPath: '/var/lib/lxd' },
            { name: 'modules', mountPath: '/lib/modules' },
          ],
        },
      ],
      volumes: [modules, { name: 'state', emptyDir: {} }],
    });
  });

  test('is no member to any Service or controller', () => {
    const { labels } = probe(template({}, claims)).metadata;
    expect(labels).not.toHaveProperty('app');
    expect(labels).toMatchObject({ [UPGRADE_KEYS.operation]: 'op' });
  });

  test.each([
    ['a claim', { name: 'state', persistentVolumeClaim: { claimName: 'x' } }],
    ['a folder of the node', { name: 'state', hostPath: { path: '/srv/lxd' } }],
  ])('never sees the data of a member that is on %s', (_what, volume) => {
    expect(probe(template({ volumes: [volume, modules] }))['spec']).toMatchObject({ volumes: [{ name: 'state', emptyDir: {} }, modules] });
  });

  test('has the same name when it is made again, and another for another operation', () => {
    const named = (operationId: string) => probePod(cluster, template({}, claims), { operationId, build, node: 'n1' }).metadata.name;
    expect(named('a')).toBe(named('a'));
    expect(named('a')).not.toBe(named('b'));
  });
});

test('a pod that has an image pulled runs nothing of it', () => {
  const pod = pullPod(cluster, template({}), { operationId: 'op', image: 'a/lxd:2', node: 'n2' });
  expect(pod['spec']).toMatchObject({
    nodeName: 'n2',
    restartPolicy: 'Never',
    containers: [{ image: 'a/lxd:2', command: ['true'], imagePullPolicy: 'Never' }],
  });
});

test("a pod that keeps a place wishes for the next pod of that name there, and for no other member; it is in nobody's way", () => {
  const pod = placePod(cluster, template({}), { operationId: 'op', image: 'a/lxd:1', pod: 'lxd-1', node: 'n1' });
  const term = (labelSelector: object) => ({
    preferredDuringSchedulingIgnoredDuringExecution: [
      { weight: 100, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector } },
    ],
  });
  const name = 'statefulset.kubernetes.io/pod-name';
  expect(pod['spec']).toMatchObject({
    nodeName: 'n1',
    affinity: {
      podAffinity: term({ matchLabels: { [name]: 'lxd-1' } }),
      podAntiAffinity: term({ matchLabels: { app: 'lxd' }, matchExpressions: [{ key: name, operator: 'NotIn', values: ['lxd-1'] }] }),
    },
  });
  expect(pod.metadata.labels).not.toHaveProperty('app');
  expect(pod.metadata.labels).toMatchObject({ [UPGRADE_KEYS.operation]: 'op' });
});
