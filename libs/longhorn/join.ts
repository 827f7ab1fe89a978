import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { parseClaim, parsePersistentVolume, parsePod, parseVolumeOwner, type VolumeOwner } from './schemas.js';

/** A member of the LXD cluster and the pod that it runs in. */
export interface MemberPod {
  readonly member: string;
  readonly pod: string;
  readonly namespace: string;
}

const LONGHORN_DRIVER = 'driver.longhorn.io';

/**
 * The names of the Longhorn volumes of each member: pod → claims → persistent volumes → `volumeHandle`, or the volume that says in its
 * `kubernetesStatus` that it is this claim's. While the pod is away, the volumes that remember it. What is on another storage is left out; of a
 * claim that has no volume yet, its own name stands for it.
 */
export async function volumesOfMembers(
  kube: KubernetesClient,
  members: readonly MemberPod[],
  volumes: readonly StoredObject[],
): Promise<{ readonly member: string; readonly volume: string }[]> {
  const owners = volumes.map(parseVolumeOwner);
  const found = await Promise.all(
    members.map(async ({ member, pod, namespace }) => {
      const names = await volumesOfPod(kube.in(namespace), pod, owners);
      return [...new Set(names)].sort().map((volume) => ({ member, volume }));
    }),
  );
  return found.flat();
}

async function volumesOfPod(kube: KubernetesClient, podName: string, owners: readonly VolumeOwner[]): Promise<string[]> {
  const pod = await kube.find('pod', podName);
  if (!pod) {
    const remember = ({ status }: VolumeOwner) =>
      status.namespace === kube.namespace && status.workloadsStatus.some(({ podName: name }) => name === podName);
    return owners.filter(remember).map(({ metadata }) => metadata.name);
  }
  const claims = parsePod(pod).spec.volumes.flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);
  const names = await Promise.all(claims.map((claim) => volumeOfClaim(kube, claim, owners)));
  return names.flatMap((name) => name ?? []);
}

async function volumeOfClaim(kube: KubernetesClient, claimName: string, owners: readonly VolumeOwner[]): Promise<string | undefined> {
  const claim = await kube.find('persistentVolumeClaim', claimName);
  const persistent = claim && parseClaim(claim).spec.volumeName;
  if (!persistent) return claimName;
  const owner = owners.find(({ status }) => status.pvName === persistent);
  if (owner) return owner.metadata.name;
  const object = await kube.find('persistentVolume', persistent);
  if (!object) return persistent;
  const { csi } = parsePersistentVolume(object).spec;
  return csi?.driver === LONGHORN_DRIVER ? csi.volumeHandle : undefined;
}
