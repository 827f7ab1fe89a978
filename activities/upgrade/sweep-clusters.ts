import { workflowIdOf } from '#libs/contracts/ids.js';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { type ClusterSweep, clusterLockOf, dryRunOf, UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import { PROBE_KINDS, type ProbeKind } from '#libs/domain/upgrade/observed.js';
import { probeLeaseOf } from '#libs/domain/upgrade/steps.js';
import { listed } from '#libs/domain/upgrade/wording.js';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';
import { LOCK_GRACE_MS, type Locks } from '../kubernetes/lock.js';
import type { Call } from '../shared/guard.js';
import type { WorkflowRuns } from '../shared/workflow-runs.js';
import type { Cluster, Clusters } from './deps.js';
import { buildOf, lxdContainer, parsePod, parseStatefulSet, probesOf } from './objects.js';
import { isMemberPod } from './observe.js';
import { wantedProbes } from './prepare.js';
import { ProbeLeases } from './probe-leases.js';
import { forgetProbes, missingProbes, writeTemplate } from './template.js';
import { removePod } from './throw-away.js';

const RACES = 5;

export interface ClusterSweepDeps {
  readonly clusters: Pick<Clusters, 'all'>;
  readonly locks: Pick<Locks, 'read' | 'busyReason'>;
  readonly runs: Pick<WorkflowRuns, 'describe'>;
  readonly log: Logger;
  readonly metrics: {
    /** How many running pods of a cluster lack a probe that they should have. */
    podsWithoutProbes(cluster: string, count: number): void;
  };
  readonly now?: () => number;
}

/** What upgrades that ended without their last steps have left on clusters. */
export function clusterSweepSteps(deps: ClusterSweepDeps) {
  return {
    /** Each cluster by itself: one that cannot be read holds up none. With no cluster nothing is read. */
    async sweepClusters({ signal }: Pick<Call, 'signal'>): Promise<ClusterSweep[]> {
      const swept: ClusterSweep[] = [];
      for (const cluster of deps.clusters.all()) {
        signal.throwIfAborted();
        swept.push(await sweepOne(deps, cluster, signal));
      }
      return swept;
    },
  };
}

async function sweepOne(deps: ClusterSweepDeps, cluster: Cluster, signal: AbortSignal): Promise<ClusterSweep> {
  const { name } = cluster.config;
  const errors: string[] = [];
  const part = async <T>(what: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await what();
    } catch (error) {
      if (signal.aborted || !isPlatformError(error)) throw error;
      // Written since it was read: an upgrade began, and what is left the next round sees.
      if (error.code !== 'STALE') errors.push(messageOf(error));
      return undefined;
    }
  };
  const released = await part(() => releaseLease(deps, cluster, signal));
  const probesBack = (await part(() => inTurn(() => giveProbesBack(deps, cluster, signal)))) ?? [];
  const podsRemoved = (await part(() => removeThrowAways(deps, cluster, signal))) ?? [];
  const podsWithoutProbes = await part(() => lookForProbes(deps, cluster, signal));
  if (podsWithoutProbes) deps.metrics.podsWithoutProbes(name, podsWithoutProbes.length);
  const sweep = { cluster: name, ...(released === undefined ? {} : { released }), probesBack, podsRemoved, errors };
  if (released !== undefined || probesBack.length + podsRemoved.length > 0) deps.log.info(sweep, 'what an upgrade had left is repaired');
  if (errors.length > 0) deps.log.warn({ cluster: name, errors }, 'cluster not swept in every part');
  return { ...sweep, podsWithoutProbes: podsWithoutProbes ?? [] };
}

/** Again from the reading on when something was written meanwhile: the controller writes a status, too. */
async function inTurn<T>(what: () => Promise<T>): Promise<T> {
  for (let race = 1; ; race++) {
    try {
      return await what();
    } catch (error) {
      if (!isPlatformError(error, 'STALE') || race === RACES) throw error;
    }
  }
}

async function releaseLease({ runs, now }: ClusterSweepDeps, { config, kube }: Cluster, signal: AbortSignal): Promise<string | undefined> {
  const leases = new ProbeLeases({ kube, runs, ...(now ? { now } : {}) });
  return leases.releaseLeft(probeLeaseOf(config.statefulSet), signal);
}

/** Puts the probes into the template that an upgrade took out of it and wrote down. Replaces no pod: `OnDelete` comes with it. */
async function giveProbesBack(deps: ClusterSweepDeps, cluster: Cluster, signal: AbortSignal): Promise<string[]> {
  const { config, kube } = cluster;
  // Read before the lock: an upgrade that takes it after we have looked makes what we read stale when it writes.
  const object = await kube.find('statefulSet', config.statefulSet, { signal });
  if (!object || object.metadata.annotations?.[UPGRADE_KEYS.probes] === undefined) return [];
  const missing = missingProbes(cluster, object);
  if (await isUpgraded(deps, config.name, signal)) return [];
  if (cluster.way) {
    if (missing.length > 0) throw leftInRepository(cluster, missing);
    await forgetProbes(cluster, object, signal);
    return [];
  }
  const found = lxdContainer(parseStatefulSet(object).spec.template.spec, config);
  const wanted = wantedProbes(found, object.metadata.annotations);
  const probes = PROBE_KINDS.filter((kind) => wanted[kind] !== undefined);
  await writeTemplate(cluster, object, { do: 'patch-template', way: 'statefulset', build: buildOf(found, config), probes }, signal);
  return missing;
}

/** What follows the repository would undo it sooner or later, so it is for people, or for another upgrade. */
function leftInRepository({ config }: Cluster, missing: readonly ProbeKind[]): PlatformError {
  return new PlatformError(
    'CONFLICT',
    `An upgrade by pull request took the ${listed(missing)} probe out of the template of ${config.statefulSet} and has ended: bring them back in the repository, or ask for the upgrade again.`,
  );
}

async function isUpgraded({ locks }: ClusterSweepDeps, cluster: string, signal: AbortSignal): Promise<boolean> {
  const lock = await locks.read(clusterLockOf(cluster), signal);
  return lock !== undefined && (await locks.busyReason(lock)) !== undefined;
}

/** Those of operations, dry runs among them, that no cluster of this namespace has open. */
async function removeThrowAways(deps: ClusterSweepDeps, cluster: Cluster, signal: AbortSignal): Promise<string[]> {
  const neighbours = deps.clusters.all().filter(({ config }) => config.namespace === cluster.config.namespace);
  const removed: string[] = [];
  for (const pod of await cluster.kube.list('wholePod', { labelSelector: UPGRADE_KEYS.operation, signal })) {
    const operation = pod.metadata.labels?.[UPGRADE_KEYS.operation] ?? '';
    const names = neighbours.flatMap(({ config }) => [clusterLockOf(config.name), dryRunOf(config.name)]);
    const ids = names.map((name) => workflowIdOf('upgrade', name, operation));
    if (!(await isLeft(deps, pod, ids))) continue;
    await removePod(cluster, pod, signal);
    removed.push(pod.metadata.name);
  }
  return removed;
}

/** Since its run has ended, or, where none of them is there, since it was made. */
async function isLeft(
  { runs, now = Date.now }: ClusterSweepDeps,
  { metadata }: StoredObject,
  workflowIds: readonly string[],
): Promise<boolean> {
  const states = await Promise.all(workflowIds.map((workflowId) => runs.describe({ workflowId, runId: '' })));
  if (states.some(({ is }) => is === 'open')) return false;
  const ended = states.flatMap((run) => (run.is === 'closed' ? [run.closedAtMs] : []));
  const since = ended.length > 0 ? Math.max(...ended) : Date.parse(metadata.creationTimestamp ?? '') || 0;
  return now() - since >= LOCK_GRACE_MS;
}

/** Running pods that lack a probe which the template has, or which is written down. Said only while no upgrade is about to change it. */
async function lookForProbes(deps: ClusterSweepDeps, { config, kube }: Cluster, signal: AbortSignal): Promise<string[]> {
  const object = await kube.find('statefulSet', config.statefulSet, { signal });
  if (!object) return [];
  const { spec } = parseStatefulSet(object);
  const wanted = wantedProbes(lxdContainer(spec.template.spec, config), object.metadata.annotations);
  const kinds = PROBE_KINDS.filter((kind) => wanted[kind] !== undefined);
  const lacking = (await kube.list('wholePod', { signal }))
    .filter((pod) => isMemberPod(pod, config.statefulSet, spec.selector.matchLabels) && pod.metadata.deletionTimestamp === undefined)
    .filter((pod) => {
      const { spec: podSpec, status } = parsePod(pod);
      const present = probesOf(lxdContainer(podSpec, config));
      return status.phase === 'Running' && kinds.some((kind) => !present.includes(kind));
    })
    .map(({ metadata }) => metadata.name);
  if (lacking.length > 0 && !(await isUpgraded(deps, config.name, signal))) {
    deps.log.warn(
      { cluster: config.name, pods: lacking },
      `${listed(lacking)} ${lacking.length === 1 ? 'runs' : 'run'} without probes: an upgrade to the present image replaces one after the other`,
    );
  }
  return lacking;
}
