import { dirname, join } from 'node:path';
import type { Profile } from '../profile.js';
import { projectRoot } from '../project.js';
import { IMAGES } from './images.js';
import { guardSettings, kubelanContainer } from './lan.js';
import { CLUSTER } from './names.js';
import { platformFolders, platformVolumes } from './platform-process.js';

export { CLUSTER };
export const BUMP = 'LXD_ARTIFICIALLY_BUMP_API_EXTENSIONS';
/** LXD of such a build comes up alone, and ends at once as a member of a cluster. */
export const FAILS_AS_MEMBER = 'LAB_FAILS_AS_MEMBER';
const STORAGE_CLASS = 'manual';

/** `lease`: the endpoint of apps/lxd8s beside each member; `exec`: LXD is asked whether it is ready; `none` at all. */
export type Probes = 'exec' | 'lease' | 'none';

export interface StatefulSetOptions {
  readonly members?: number;
  readonly image?: string;
  /** Variables that count, such as LXD_ARTIFICIALLY_BUMP_API_EXTENSIONS. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly probes?: Probes;
  readonly podManagementPolicy?: 'OrderedReady' | 'Parallel';
  readonly updateStrategy?: 'RollingUpdate' | 'OnDelete';
  /** `members`: the pods are on the members' private network, with a bridge for containers whose ports are guarded; see `lan.ts`. */
  readonly lan?: 'none' | 'members';
}

export const DEFAULTS: Required<StatefulSetOptions> = {
  members: 3,
  image: IMAGES.lxd,
  environment: { [BUMP]: '0' },
  probes: 'exec',
  podManagementPolicy: 'OrderedReady',
  updateStrategy: 'OnDelete',
  lan: 'none',
};

export function memberNames(members: number): string[] {
  return Array.from({ length: members }, (_, i) => `${CLUSTER.statefulSet}-${i}`);
}

/** By which the members know each other: pods change their addresses. */
export function memberAddress(member: string): string {
  return `${member}.${CLUSTER.service}.${CLUSTER.namespace}.svc.cluster.local:8443`;
}

/** Where a member's volume is on this machine, whatever node its pod is on. */
export function volumeOf({ paths }: Profile, member: string): string {
  return join(paths.cluster, 'volumes', member);
}

/** What is there before the StatefulSet, once for each lab. The pods may read the Lease that says that an upgrade is on. */
export function surroundings(): object[] {
  const { namespace, service, statefulSet, lease } = CLUSTER;
  const metadata = { name: statefulSet, namespace };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: [lease], verbs: ['get'] }],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: statefulSet },
      subjects: [{ kind: 'ServiceAccount', name: statefulSet, namespace }],
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: service, namespace },
      // A member that is not ready must be found by the others, or no quorum ever forms.
      spec: { clusterIP: 'None', publishNotReadyAddresses: true, selector: { app: 'lxd' }, ports: [{ name: 'https', port: 8443 }] },
    },
  ];
}

export function volumes(profile: Profile, members: number): object[] {
  return memberNames(members).map((member) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `${profile.name}-${member}`, labels: { app: 'lxd' } },
    spec: {
      capacity: { storage: '5Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: STORAGE_CLASS,
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path: volumeOf(profile, member), type: 'DirectoryOrCreate' },
      claimRef: { namespace: CLUSTER.namespace, name: `state-${member}` },
    },
  }));
}

export function statefulSet(options: Required<StatefulSetOptions>): object {
  const { namespace, statefulSet: name, service } = CLUSTER;
  const claim = { accessModes: ['ReadWriteOnce'], storageClassName: STORAGE_CLASS, resources: { requests: { storage: '5Gi' } } };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, namespace },
    spec: {
      serviceName: service,
      replicas: options.members,
      podManagementPolicy: options.podManagementPolicy,
      updateStrategy: { type: options.updateStrategy },
      selector: { matchLabels: { app: 'lxd' } },
      volumeClaimTemplates: [{ metadata: { name: 'state' }, spec: claim }],
      template: { metadata: { labels: { app: 'lxd' } }, spec: podSpec(options) },
    },
  };
}

function podSpec(options: Required<StatefulSetOptions>): object {
  const onePerNode = { labelSelector: { matchLabels: { app: 'lxd' } }, topologyKey: 'kubernetes.io/hostname' };
  const onLan = options.lan === 'members';
  const withEndpoint = options.probes === 'lease' || onLan;
  return {
    serviceAccountName: CLUSTER.statefulSet,
    terminationGracePeriodSeconds: 15,
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [onePerNode] } },
    containers: [
      lxdContainer(options),
      ...(withEndpoint ? [endpointContainer(options)] : []),
      ...(onLan ? [kubelanContainer('member')] : []),
    ],
    volumes: withEndpoint ? platformVolumes() : [],
  };
}

function lxdContainer({ image, environment, probes }: Required<StatefulSetOptions>): object {
  return {
    name: CLUSTER.container,
    image,
    securityContext: { privileged: true },
    env: Object.entries(environment).map(([name, value]) => ({ name, value })),
    ports: [{ name: 'https', containerPort: 8443 }],
    volumeMounts: [{ name: 'state', mountPath: '/var/lib/lxd' }],
    ...PROBES[probes],
  };
}

const READY = 'curl -sf -m 1 --unix-socket /var/lib/lxd/unix.socket http://lxd/internal/ready';
const ask = (path: string) => ({ httpGet: { path, port: CLUSTER.probePort } });

const PROBES: Readonly<Record<Probes, object>> = {
  none: {},
  exec: {
    startupProbe: { exec: { command: ['sh', '-c', READY] }, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 3_600 },
    readinessProbe: { exec: { command: ['sh', '-c', READY] }, periodSeconds: 2, timeoutSeconds: 2 },
  },
  lease: {
    startupProbe: { ...ask('/startup'), periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 120 },
    livenessProbe: { ...ask('/live'), periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 6 },
    readinessProbe: { ...ask('/ready'), periodSeconds: 2, timeoutSeconds: 2 },
  },
};

/** Beside the member: it keeps its image when LXD's changes. On the private network it guards the ports of containers, too. */
function endpointContainer({ lan }: Required<StatefulSetOptions>): object {
  const root = projectRoot();
  const entry = join(root, 'dist', 'apps', 'lxd8s', 'main.js');
  return {
    name: 'probes',
    image: IMAGES.lxd,
    command: [process.execPath, entry],
    workingDir: root,
    env: [
      { name: 'PATH', value: `${dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin` },
      { name: 'WEBSPACES__STATEFUL_SET', value: CLUSTER.statefulSet },
      { name: 'WEBSPACES__KUBERNETES__NAMESPACE', value: CLUSTER.namespace },
      // Processes beside a lab are slow to be served; an upgrade in it is quick.
      { name: 'WEBSPACES__LEASE__EVERY_SECONDS', value: '1' },
      ...(lan === 'members' ? guardSettings() : []),
    ],
    securityContext: lan === 'members' ? { capabilities: { add: ['NET_ADMIN'] } } : {},
    ports: [{ name: 'probes', containerPort: CLUSTER.probePort }],
    volumeMounts: [
      { name: 'state', mountPath: '/var/lib/lxd' },
      ...platformFolders().map(({ name, path }) => ({ name, mountPath: path, readOnly: true })),
    ],
  };
}
