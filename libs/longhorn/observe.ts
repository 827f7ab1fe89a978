import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { ObservedVolume } from '#libs/domain/upgrade/observed.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { type MemberPod, volumesOfMembers } from './join.js';
import { objectionsOf } from './places.js';
import type { RebuildProgress } from './rebuild-progress.js';
import { parseEngine, parseReplica, parseVolume } from './schemas.js';
import { absentVolume, observedVolume } from './volume.js';

export interface VolumesToObserve {
  readonly kube: KubernetesClient;
  /** Longhorn's own, usually `longhorn-system`. */
  readonly namespace: string;
  readonly members: readonly MemberPod[];
  /** One for all observations of this cluster by this process. */
  readonly rebuilds: RebuildProgress;
}

const VOLUME_LABEL = 'longhornvolume';

/**
 * The volumes of the members as they are now, read anew at each call, in the order of the members. Reads only. A claim without a Longhorn
 * volume is a volume that is being created; a volume of another storage is left out.
 * @throws what {@link KubernetesClient} throws (NOT_FOUND when Longhorn is not installed); PROTOCOL when an object is not of v1beta2's form.
 */
export async function observeVolumes({ kube, namespace, members, rebuilds }: VolumesToObserve): Promise<ObservedVolume[]> {
  const longhorn = kube.in(namespace);
  const [volumes, engines, replicas] = await Promise.all([
    longhorn.list('longhornVolume'),
    longhorn.list('longhornEngine'),
    longhorn.list('longhornReplica'),
  ]);
  const wanted = await volumesOfMembers(kube, members, volumes);
  rebuilds.keepOnly(new Set(wanted.map(({ volume }) => volume)));
  const observed = wanted.map(({ member, volume: name }) => {
    const volume = volumes.find(({ metadata }) => metadata.name === name);
    if (!volume) return absentVolume(member, name);
    const objects = {
      volume: parseVolume(volume),
      engines: engines.filter(ofVolume(name)).map(parseEngine),
      replicas: replicas.filter(ofVolume(name)).map(parseReplica),
    };
    return observedVolume(member, objects, rebuilds);
  });
  return Promise.all(observed.map((volume) => withObjections(longhorn, volume)));
}

/** Longhorn's own message of a place that it did not find is often empty; its nodes say more. */
async function withObjections(longhorn: KubernetesClient, volume: ObservedVolume): Promise<ObservedVolume> {
  const { schedulingFailure, engine } = volume;
  if (!schedulingFailure) return volume;
  const objections = engine?.node ? objectionsOf(await longhorn.find('longhornNode', engine.node)) : [];
  const said = [schedulingFailure.message, ...objections].filter(Boolean).join('; ');
  return { ...volume, schedulingFailure: { ...schedulingFailure, message: said || 'Longhorn gives no reason' } };
}

/** The label, and the spec for objects of a restored backup, which can lack it. */
function ofVolume(name: string): (object: StoredObject) => boolean {
  return (object) => {
    const { volumeName } = (object['spec'] ?? {}) as { volumeName?: unknown };
    return object.metadata.labels?.[VOLUME_LABEL] === name || volumeName === name;
  };
}
