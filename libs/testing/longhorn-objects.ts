import type { KindName, NewObject } from '#libs/contracts/kubernetes-objects.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';

type Json = Record<string, unknown>;

export interface ExampleVolume {
  readonly volume?: Json;
  readonly volumeStatus?: Json;
  readonly engineStatus?: Json;
  /** By name of the replica; `r1` is local. Undefined leaves the replica out. */
  readonly replicas?: Readonly<Record<string, { readonly node: string; readonly conditions?: readonly Json[]; readonly status?: Json }>>;
}

export const LONGHORN = 'longhorn-system';
export const MEMBERS = 'lxd';
const GIB = 1024 ** 3;
const REPLICAS: NonNullable<ExampleVolume['replicas']> = { r1: { node: 'node-a' }, r2: { node: 'node-b' } };
const address = (name: string) => `10.42.0.${name.replace(/\D/g, '') || '99'}:10000`;

/**
 * Writes a Longhorn volume with its engine and replicas as longhorn-manager 1.10 keeps them: attached to node-a, two copies, best-effort
 * locality, 10 GiB. Names: volume `pvc-<pod>`, replicas `pvc-<pod>-<key>`.
 */
export async function writeLonghornVolume(kube: KubernetesClient, pod: string, changes: ExampleVolume = {}): Promise<void> {
  const longhorn = kube.in(LONGHORN);
  const name = `pvc-${pod}`;
  const replicas = changes.replicas ?? REPLICAS;
  const labels = { longhornvolume: name };
  const full = (key: string) => `${name}-${key}`;
  const keyed = (value: (key: string) => string) => Object.fromEntries(Object.keys(replicas).map((key) => [full(key), value(key)]));
  await write(longhorn, 'longhornVolume', {
    metadata: { name },
    spec: {
      numberOfReplicas: 2,
      size: String(10 * GIB),
      dataLocality: 'best-effort',
      nodeID: 'node-a',
      migrationNodeID: '',
      ...changes.volume,
    },
    status: {
      state: 'attached',
      robustness: 'healthy',
      currentNodeID: 'node-a',
      currentMigrationNodeID: '',
      expansionRequired: false,
      conditions: [{ type: 'Scheduled', status: 'True', reason: '', message: '' }],
      kubernetesStatus: {
        pvName: name,
        pvcName: `data-${pod}`,
        namespace: MEMBERS,
        workloadsStatus: [{ podName: pod, podStatus: 'Running', workloadName: 'lxd', workloadType: 'StatefulSet' }],
      },
      ...changes.volumeStatus,
    },
  });
  await write(longhorn, 'longhornEngine', {
    metadata: { name: `${name}-e-0`, labels },
    spec: { nodeID: 'node-a', active: true, volumeName: name, replicaAddressMap: keyed(address) },
    status: {
      currentState: 'running',
      replicaModeMap: keyed(() => 'RW'),
      currentReplicaAddressMap: keyed(address),
      rebuildStatus: null,
      isExpanding: false,
      ...changes.engineStatus,
    },
  });
  for (const [key, { node, conditions, status }] of Object.entries(replicas)) {
    await write(longhorn, 'longhornReplica', {
      metadata: { name: full(key), labels },
      spec: { nodeID: node, volumeName: name, active: true },
      status: { currentState: 'running', conditions: conditions ?? null, ...status },
    });
  }
}

/** A pod of a StatefulSet with its claims, each bound to the persistent volume of that name. */
export async function writePodWithClaims(kube: KubernetesClient, pod: string, claims: Readonly<Record<string, string>>): Promise<void> {
  const members = kube.in(MEMBERS);
  const volumes = Object.keys(claims).map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } }));
  await write(members, 'pod', {
    metadata: { name: pod },
    spec: { containers: [{ name: 'lxd', image: 'lxd' }], volumes: [...volumes, { name: 'run', emptyDir: {} }] },
  });
  for (const [name, volumeName] of Object.entries(claims)) {
    await write(members, 'persistentVolumeClaim', { metadata: { name }, spec: volumeName ? { volumeName } : {} });
  }
}

export function writePersistentVolume(kube: KubernetesClient, name: string, csi: { driver: string; volumeHandle: string }): Promise<void> {
  return write(kube, 'persistentVolume', { metadata: { name }, spec: { csi } });
}

/** Where {@link writeLonghornVolume}'s engine says that a replica is. */
export function addressOf(key: string): string {
  return address(key);
}

async function write(kube: KubernetesClient, kind: KindName, object: NewObject): Promise<void> {
  await kube.apply(kind, object);
  if (object['status'])
    await kube.apply(kind, { metadata: { name: object.metadata.name }, status: object['status'] }, { subresource: 'status' });
}
