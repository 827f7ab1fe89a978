import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { IMAGES } from '#lab/cluster/images.js';
import { platformFolders, platformVolumes } from '#lab/cluster/platform-process.js';
import { projectRoot } from '#lab/project.js';

/** Of the tests' own StatefulSet: the names are those of the shipped roles. */
export const OWN = {
  namespace: 'members',
  statefulSet: 'lxd',
  preseed: 'preseed',
  certificate: 'certificate',
  console: 'console',
  domain: 'lxd.members.svc.cluster.local',
} as const;
/** Of root at the console. */
export const PASSWORD = 'let me in';
const HASH = '$6$webspaces$kbbCmtYE2bRwJGqVKfMmdNVoriQElVEBSg00nZroF2e2HvtRo2SocQArjDNM/Rdn5DqyDWHO.1j5tj.Z1.X5.0';
const CLASS = 'manual';
const LABELS = { app: 'lxd8s' };
const ACCOUNT = 'webspaces-lxd8s';

/** Preseed of a cluster with one pool. */
export const ONE_POOL = `
storage_pools:
- {name: default, driver: dir}
profiles:
- name: default
  # As the chart has it: by itself LXD moves nothing that has a device of its machine.
  config: {cluster.evacuate: migrate}
  devices:
    root: {type: disk, pool: default, path: /}
`;

export interface StatefulSetOptions {
  readonly replicas: number;
  /** Where members may be; each takes one. */
  readonly nodes: readonly string[];
  readonly podManagementPolicy?: 'OrderedReady' | 'Parallel';
  readonly second?: Second;
}

/** Whether members have a second volume, for storage pools. */
export type Second = 'storage' | 'none';
/** Where they have it, as in the chart. */
export const STORAGE = '/var/lib/webspaces-storage';

export function memberOf(number: number): string {
  return `${OWN.statefulSet}-${number}`;
}

/** Namespace, Service, and the password of the console; the account and its roles are those of the chart. */
export function surroundings(): object[] {
  const { namespace, statefulSet: name } = OWN;
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { clusterIP: 'None', publishNotReadyAddresses: true, selector: LABELS, ports: [{ name: 'https', port: 8443 }] },
    },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: OWN.console, namespace }, stringData: { password: HASH } },
  ];
}

export function shippedRoles(): string {
  const file = join(projectRoot(), 'deploy', 'chart', 'files', 'rbac', 'lxd8s.yaml');
  return readFileSync(file, 'utf8').replaceAll('namespace: webspaces}', `namespace: ${OWN.namespace}}`);
}

/** What the worker may do to the cluster. */
export function shippedClusterRoles(): string {
  const file = join(projectRoot(), 'deploy', 'chart', 'files', 'clusters', 'worker.yaml');
  return readFileSync(file, 'utf8').replaceAll('namespace: lxd8s}', `namespace: ${OWN.namespace}}`);
}

/** A claim of a member's pod, by its name in the StatefulSet. */
export interface ClaimOfMember {
  readonly claim: 'state' | 'storage';
  readonly member: string;
}

export const volumeName = ({ claim, member }: ClaimOfMember) => `own-${claim}-${member}`;

export function volume({ claim, member, path }: ClaimOfMember & { readonly path: string }): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: volumeName({ claim, member }), labels: LABELS },
    spec: {
      capacity: { storage: '5Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: CLASS,
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path, type: 'DirectoryOrCreate' },
      claimRef: { namespace: OWN.namespace, name: `${claim}-${member}` },
    },
  };
}

export function statefulSet({ replicas, nodes, podManagementPolicy = 'OrderedReady', second = 'none' }: StatefulSetOptions): object {
  const { namespace, statefulSet: name } = OWN;
  const onePerNode = { labelSelector: { matchLabels: LABELS }, topologyKey: 'kubernetes.io/hostname' };
  const here = { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: nodes }] };
  const claim = { accessModes: ['ReadWriteOnce'], storageClassName: CLASS, resources: { requests: { storage: '5Gi' } } };
  const claims = ['state', ...(second === 'storage' ? [second] : [])];
  const token = { serviceAccountToken: { audience: 'webspaces-lxd8s', path: 'token', expirationSeconds: 3600 } };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, namespace },
    spec: {
      serviceName: name,
      replicas,
      podManagementPolicy,
      updateStrategy: { type: 'OnDelete' },
      selector: { matchLabels: LABELS },
      volumeClaimTemplates: claims.map((name) => ({ metadata: { name }, spec: claim })),
      template: {
        metadata: { labels: LABELS },
        spec: {
          serviceAccountName: ACCOUNT,
          terminationGracePeriodSeconds: 20,
          affinity: {
            nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [here] } },
            podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [onePerNode] },
          },
          containers: [memberContainer(second), endpointContainer()],
          volumes: [
            ...platformVolumes(),
            { name: 'joins', projected: { sources: [token] } },
            { name: 'preseed', configMap: { name: OWN.preseed } },
            { name: 'certificate', secret: { secretName: OWN.certificate } },
            { name: 'console', secret: { secretName: OWN.console } },
          ],
        },
      },
    },
  };
}

export function ours(container: object, settings: Readonly<Record<string, string>>): object {
  const mounts = platformFolders().map(({ name, path }) => ({ name, mountPath: path, readOnly: true }));
  const { volumeMounts = [], ...rest } = container as { volumeMounts?: object[] };
  return {
    image: IMAGES.lxd,
    workingDir: projectRoot(),
    env: [
      { name: 'PATH', value: `${dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin` },
      ...Object.entries(settings).map(([name, value]) => ({ name: `WEBSPACES__${name}`, value })),
      { name: 'WEBSPACES__STATEFUL_SET', value: OWN.statefulSet },
      { name: 'WEBSPACES__KUBERNETES__NAMESPACE', value: OWN.namespace },
    ],
    volumeMounts: [{ name: 'state', mountPath: '/var/lib/lxd' }, ...mounts, ...volumeMounts],
    ...rest,
  };
}

/** As the entry point of `deploy/docker/lxd8s-member.Dockerfile`, with bash in the place of tini, which this image has not: it reaps, and hands TERM on. */
export const AS_PID_1 = '"$@" & child=$!; trap "kill -TERM $child" TERM; while kill -0 $child 2> /dev/null; do wait $child; done';

function memberContainer(second: Second): object {
  const ask = (path: string) => ({ httpGet: { path, port: 9797 } });
  const entry = join(projectRoot(), 'dist', 'apps', 'lxd8s', 'member', 'main.js');
  const own = { name: 'WEBSPACES__MEMBER', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } };
  const container = ours(
    {
      name: 'member',
      command: ['bash', '-c', AS_PID_1, 'pid-1', 'unshare', '--cgroup', '--mount', '--propagation', 'private', process.execPath, entry],
      securityContext: { privileged: true },
      startupProbe: { ...ask('/startup'), periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 60 },
      livenessProbe: { ...ask('/live'), periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 3 },
      readinessProbe: { ...ask('/ready'), periodSeconds: 1, timeoutSeconds: 2 },
      volumeMounts: [
        { name: 'joins', mountPath: '/var/run/secrets/webspaces-lxd8s', readOnly: true },
        { name: 'preseed', mountPath: '/etc/lxd8s/preseed', readOnly: true },
        { name: 'certificate', mountPath: '/etc/lxd8s/certificate', readOnly: true },
        { name: 'console', mountPath: '/etc/lxd8s/console', readOnly: true },
        ...(second === 'storage' ? [{ name: second, mountPath: STORAGE }] : []),
      ],
    },
    {
      DOMAIN: OWN.domain,
      STOP__GRACE_SECONDS: '20',
      PRESEED_FILE: '/etc/lxd8s/preseed/preseed.yaml',
      CERTIFICATE__FOLDER: '/etc/lxd8s/certificate',
      CERTIFICATE__ANNOUNCE_SECONDS: '5',
      CONSOLE__PASSWORD_FILE: '/etc/lxd8s/console/password',
      EVERY_SECONDS: '1',
      // The tests ask from outside, often.
      STATE_FOR: 'anyone',
      // More than any machine has: always short.
      MEMORY__MIN_FREE_BYTES: '1000000000000000',
      ...(second === 'storage' ? { VOLUMES__STORAGE: STORAGE } : {}),
    },
  ) as { env: object[] };
  return { ...container, env: [...container.env, own] };
}

function endpointContainer(): object {
  const entry = join(projectRoot(), 'dist', 'apps', 'lxd8s', 'main.js');
  return ours(
    { name: 'endpoint', command: [process.execPath, entry] },
    { LXD__DEAD_SECONDS: '10', LEASE__EVERY_SECONDS: '1', MEMBER__URL: 'http://127.0.0.1:9798' },
  );
}
