import type { ObservedReplica, ObservedVolume } from '#libs/domain/upgrade/observed.js';
import type { RebuildPace, RebuildProgress } from './rebuild-progress.js';
import type { LonghornEngine, LonghornReplica, LonghornVolume } from './schemas.js';

type Rebuild = NonNullable<ObservedReplica['rebuild']>;
type RebuildStatus = LonghornEngine['status']['rebuildStatus'][string];

export interface VolumeObjects {
  readonly volume: LonghornVolume;
  readonly engines: readonly LonghornEngine[];
  readonly replicas: readonly LonghornReplica[];
}

/** Where a replica is that the engine names and Longhorn has no object for. */
const UNKNOWN_NODE = '(unknown)';
const SCHEDULED = 'Scheduled';
const REBUILD_FAILED = 'RebuildFailed';

/** One volume as its objects say it. Replicas that have no node yet hold no data and are left out. */
export function observedVolume(member: string, { volume, engines, replicas }: VolumeObjects, rebuilds: RebuildProgress): ObservedVolume {
  const { metadata, spec, status } = volume;
  const engine = currentEngine(engines, status.currentNodeID);
  const migratingTo = spec.migrationNodeID || status.currentMigrationNodeID;
  const unscheduled = status.conditions.find(({ type, status }) => type === SCHEDULED && status === 'False');
  const observed = {
    name: metadata.name,
    member,
    state: status.state,
    robustness: status.robustness,
    dataLocality: spec.dataLocality,
    numberOfReplicas: spec.numberOfReplicas,
    sizeBytes: spec.size,
    ...(migratingTo ? { migratingTo } : {}),
    expanding: engine?.status.isExpanding || status.expansionRequired ? ('yes' as const) : ('no' as const),
    ...(engine ? { engine: { node: engine.spec.nodeID, state: engine.status.currentState || 'not started' } } : {}),
    replicas: engine ? replicasOf(volume, engine, replicas, rebuilds) : replicas.map(idle),
    ...(unscheduled ? { schedulingFailure: { reason: unscheduled.reason || 'no reason', message: unscheduled.message } } : {}),
  };
  return { ...observed, replicas: observed.replicas.filter(({ node }) => node !== '') };
}

/** A claim whose volume Longhorn has not made, or has no more. */
export function absentVolume(member: string, name: string): ObservedVolume {
  return {
    name,
    member,
    state: 'creating',
    robustness: 'unknown',
    dataLocality: 'disabled',
    numberOfReplicas: 0,
    sizeBytes: 0,
    expanding: 'no',
    replicas: [],
  };
}

/** A migration has a second engine, which is not active until the move is confirmed. */
function currentEngine(engines: readonly LonghornEngine[], nodeId: string): LonghornEngine | undefined {
  const living = engines.filter(({ metadata }) => metadata.deletionTimestamp === '');
  const active = living.filter(({ spec }) => spec.active);
  const candidates = active.length > 0 ? active : living;
  return candidates.find(({ spec }) => spec.nodeID === nodeId) ?? candidates[0];
}

function replicasOf(
  { metadata, spec }: LonghornVolume,
  engine: LonghornEngine,
  replicas: readonly LonghornReplica[],
  rebuilds: RebuildProgress,
): ObservedReplica[] {
  const { replicaModeMap, rebuildStatus } = engine.status;
  const byAddress = new Map(Object.entries(rebuildStatus).map(([address, status]) => [withoutScheme(address), status]));
  const running = [...byAddress].filter(([, status]) => stateOf(status) === 'in_progress');
  const paces = rebuilds.observe(metadata.name, new Map(running.map(([address, { progress }]) => [address, progress])));
  const names = namesByAddress(engine, replicas);
  const rebuildOf = (name: string): Rebuild | undefined => {
    for (const [address, status] of byAddress) {
      if ((names.get(address) ?? address) === name) return rebuild(status, paces.get(address), spec.size);
    }
    return undefined;
  };
  const known: ObservedReplica[] = replicas.map((replica) => ({
    ...idle(replica),
    ...(replicaModeMap[replica.metadata.name] ? { mode: replicaModeMap[replica.metadata.name] } : {}),
    ...withRebuild(rebuildOf(replica.metadata.name)),
  }));
  const listed = new Set(known.map(({ name }) => name));
  const further = new Set([...Object.keys(replicaModeMap), ...[...byAddress.keys()].map((address) => names.get(address) ?? address)]);
  const unlisted: ObservedReplica[] = [...further]
    .filter((name) => !listed.has(name))
    .map((name) => ({
      name,
      node: UNKNOWN_NODE,
      ...(replicaModeMap[name] ? { mode: replicaModeMap[name] } : {}),
      ...withRebuild(rebuildOf(name)),
    }));
  return withFailedRebuilds([...known, ...unlisted], replicas, { ...spec, node: engine.spec.nodeID });
}

/**
 * A replica whose rebuild failed leaves the engine; what is left is a condition of the replica, until it is rebuilt or thrown away. It counts
 * only while that copy is missed, since an old one may lie about for days.
 */
function withFailedRebuilds(
  observed: readonly ObservedReplica[],
  replicas: readonly LonghornReplica[],
  wanted: { readonly numberOfReplicas: number; readonly dataLocality: ObservedVolume['dataLocality']; readonly node: string },
): ObservedReplica[] {
  const readable = observed.filter(({ mode }) => mode === 'RW');
  const fewer = readable.length < wanted.numberOfReplicas;
  const noneLocal = wanted.dataLocality !== 'disabled' && readable.every(({ node }) => node !== wanted.node);
  return observed.map((replica) => {
    if (replica.mode || replica.rebuild || !(fewer || (noneLocal && replica.node === wanted.node))) return replica;
    const conditions = replicas.find(({ metadata }) => metadata.name === replica.name)?.status.conditions;
    const failed = conditions?.find(({ type, status }) => type === REBUILD_FAILED && status === 'True');
    if (!failed) return replica;
    const error = failed.message || failed.reason;
    return { ...replica, rebuild: { state: 'error', progressPercent: 0, unchangedSeconds: 0, ...(error ? { error } : {}) } };
  });
}

function rebuild(status: RebuildStatus, pace: RebuildPace | undefined, sizeBytes: number): Rebuild | undefined {
  const state = stateOf(status);
  if (!state) return undefined;
  const bytesPerSecond = pace?.percentPerSecond === undefined ? undefined : Math.round((pace.percentPerSecond * sizeBytes) / 100);
  return {
    state,
    progressPercent: status.progress,
    unchangedSeconds: pace?.unchangedSeconds ?? 0,
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    ...(status.error ? { error: status.error } : {}),
  };
}

function stateOf({ isRebuilding, state, error }: RebuildStatus): Rebuild['state'] | undefined {
  if (error || state === 'error') return 'error';
  if (state === 'complete') return 'complete';
  return isRebuilding || state === 'in_progress' ? 'in_progress' : undefined;
}

/** Of `rebuildStatus`, whose keys carry a scheme that the address maps do not have. */
function namesByAddress(engine: LonghornEngine, replicas: readonly LonghornReplica[]): Map<string, string> {
  const own = replicas.flatMap(({ metadata, status }): [string, string][] => {
    const host = status.storageIP || status.ip;
    return host && status.port ? [[`${host.includes(':') ? `[${host}]` : host}:${status.port}`, metadata.name]] : [];
  });
  const maps = [engine.spec.replicaAddressMap, engine.status.currentReplicaAddressMap];
  const told = maps.flatMap((map) => Object.entries(map).map(([name, address]): [string, string] => [withoutScheme(address), name]));
  return new Map([...own, ...told]);
}

function withoutScheme(address: string): string {
  return address.replace(/^tcp:\/\//, '');
}

function idle({ metadata, spec }: LonghornReplica): ObservedReplica {
  return { name: metadata.name, node: spec.nodeID };
}

function withRebuild(found: Rebuild | undefined): { rebuild?: Rebuild } {
  return found ? { rebuild: found } : {};
}
