import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { clusterLockOf } from '#libs/contracts/upgrades.js';
import type { ObservedCluster, ObservedMember, ObservedVolume, OtherOperation } from '#libs/domain/upgrade/observed.js';
import { observeVolumes } from '#libs/longhorn/observe.js';
import type { Locks } from '../kubernetes/lock.js';
import { settleAll } from '../shared/settle-all.js';
import type { Cluster, UpgradeDeps } from './deps.js';
import { lookAtNodes, type OnNodes } from './images.js';
import { observedPod, observedStatefulSet, parseStatefulSet } from './objects.js';
import { type ReadMembers, readMembers } from './read-members.js';

export interface Looking {
  readonly cluster: string;
  /** Whose own work is no other's. */
  readonly operationId: string;
  /** Of which is said whether the nodes have it; the template's when absent. */
  readonly image?: string;
  /** `left-out`: the nodes are not asked which images they have, and none has any. */
  readonly images?: 'looked-at' | 'left-out';
  readonly signal: AbortSignal;
}

export interface Observation {
  readonly observed: ObservedCluster;
  /** As it was read, for those who change it. */
  readonly statefulSet: StoredObject;
  /** What the members themselves have said; absent when none could be asked. */
  readonly known: ReadMembers['known'];
}

/**
 * The cluster as it is now: everything is read anew, in parallel, each under a deadline of its own. Operations of LXD itself are not looked at:
 * a terminal that somebody has open is one, too.
 * @throws NOT_FOUND, UNAVAILABLE, … when something that all depends on cannot be read.
 */
export async function observe(
  deps: UpgradeDeps,
  { cluster: name, operationId, image, images = 'looked-at', signal }: Looking,
): Promise<Observation> {
  const cluster = deps.clusters.get(name);
  const { config, kube } = cluster;
  const [statefulSet, podObjects] = await settleAll([
    kube.get('statefulSet', config.statefulSet, { signal }),
    kube.list('wholePod', { signal }),
  ]);
  const set = observedStatefulSet(statefulSet, config);
  const selector = parseStatefulSet(statefulSet).spec.selector.matchLabels;
  const memberPods = podObjects.filter((pod) => isMemberPod(pod, config.statefulSet, selector));
  const pods = memberPods.map((pod) => observedPod(pod, config));
  const nodes = images === 'left-out' ? [] : [...new Set(pods.flatMap(({ node }) => node ?? []))];
  const read = readMembers(
    cluster,
    memberPods.map((pod) => ({ ...observedPod(pod, config), uid: pod.metadata.uid })),
    signal,
  );
  const [members, onNodes, operations, volumes] = await settleAll([
    read,
    lookAtNodes(cluster, image ?? set.template.build.image, nodes, signal) as Promise<OnNodes>,
    operationsOf(deps.locks, name, operationId, signal),
    read.then((found) => volumesOf(cluster, found.members)),
  ]);
  const { known, ...ofMembers } = members;
  const observed: ObservedCluster = {
    name,
    ...ofMembers,
    statefulSet: set,
    pods,
    storage: config.storage.kind,
    volumes,
    ...onNodes,
    operations,
  };
  return { observed, statefulSet, known };
}

/** By name and labels, not by owner: while the StatefulSet is made anew they have none. */
export function isMemberPod({ metadata }: StoredObject, statefulSet: string, selector: Readonly<Record<string, string>>): boolean {
  const isNumbered = metadata.name.startsWith(`${statefulSet}-`) && /^\d+$/.test(metadata.name.slice(statefulSet.length + 1));
  return isNumbered && Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value);
}

async function volumesOf({ kube, config, rebuilds }: Cluster, members: readonly ObservedMember[]): Promise<ObservedVolume[]> {
  if (config.storage.kind === 'unwatched') return [];
  const pods = members.map(({ name, pod }) => ({ member: name, pod, namespace: config.namespace }));
  return observeVolumes({ kube, namespace: config.storage.namespace, members: pods, rebuilds });
}

/** Another upgrade that holds the lock, if one does. */
async function operationsOf(locks: Locks, cluster: string, operationId: string, signal: AbortSignal): Promise<OtherOperation[]> {
  const lock = await locks.read(clusterLockOf(cluster), signal);
  if (!lock?.holder) return [];
  const { workflowId } = lock.holder;
  if (workflowId.endsWith(`:${operationId}`)) return [];
  const busy = await locks.busyReason(lock);
  return busy === undefined ? [] : [{ id: workflowId, kind: 'upgrade', description: busy }];
}
