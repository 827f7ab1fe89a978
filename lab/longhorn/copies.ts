import type { Fault } from './faults.js';
import { replicaName } from './replica-names.js';
import type { Settings } from './settings.js';
import type { ReplicaState, Surroundings, VolumeState } from './state.js';

export interface Moment extends Settings {
  readonly fault: Fault | undefined;
  readonly nowMs: number;
}

/** The part of a building copy that is done; over 1 when its time is over. */
export function partDone({ sinceMs }: ReplicaState, sizeBytes: number, { nowMs, bytesPerSecond }: Moment): number {
  return sizeBytes === 0 ? 1 : ((nowMs - sinceMs) * bytesPerSecond) / 1000 / sizeBytes;
}

/**
 * The next state of the copies, in Longhorn's order: a new volume has its copies at once; failed ones are replaced; only when enough of them
 * are readable is a local one added; only when that one is readable is a surplus one removed.
 */
export function advanceCopies(before: VolumeState, around: Surroundings, moment: Moment): VolumeState {
  const state = { ...before, replicas: before.replicas.map((replica) => aged(replica, before, around, moment)) };
  if (state.attachment !== 'attached' || state.node === undefined) return state;
  if (state.made === 0) return placeFirst(state, around, moment);
  return replaceFailed(state, moment) ?? addMissing(state, around, moment) ?? removeSurplus(state, around, moment);
}

function aged(replica: ReplicaState, state: VolumeState, { sizeBytes }: Surroundings, moment: Moment): ReplicaState {
  const { fault, nowMs, stepMs } = moment;
  if (replica.mode === 'RW') {
    const fails = fault === 'faulted' || (fault === 'degraded' && replica === oneOfTheFarCopies(state));
    return fails ? { ...replica, mode: 'ERR', sinceMs: nowMs } : replica;
  }
  // Salvaged: what was on the disks is good.
  if (replica.mode === 'ERR' && state.attachment === 'attaching' && allFailed(state)) return { ...replica, mode: 'RW', sinceMs: nowMs };
  if (replica.mode !== 'WO') return replica;
  if (!replica.ended) {
    if (fault === 'rebuild-error' && partDone(replica, sizeBytes, moment) > 0.1) return { ...replica, ended: { as: 'error', atMs: nowMs } };
    const complete = fault !== 'stuck' && partDone(replica, sizeBytes, moment) >= 1;
    return complete ? { ...replica, ended: { as: 'complete', atMs: nowMs } } : replica;
  }
  if (nowMs - replica.ended.atMs < stepMs) return replica;
  const { ended, ...rest } = replica;
  if (ended.as === 'error') return { ...rest, mode: 'failed', sinceMs: nowMs };
  return fault === 'complete-but-wo' ? replica : { ...rest, mode: 'RW', sinceMs: nowMs };
}

/** The one that `degraded` lets fail; none when one has failed. */
function oneOfTheFarCopies({ node, replicas }: VolumeState): ReplicaState | undefined {
  return replicas.some(({ mode }) => mode === 'ERR')
    ? undefined
    : replicas.find((replica) => replica.mode === 'RW' && replica.node !== node);
}

function allFailed({ replicas }: VolumeState): boolean {
  return replicas.every(({ mode }) => mode === 'ERR');
}

/** The first attachment of a new volume: a local copy and others, all readable. */
function placeFirst(state: VolumeState, around: Surroundings, moment: Moment): VolumeState {
  let next = state;
  while (next.replicas.length < around.numberOfReplicas) {
    const node = placeFor(next, around, moment);
    if (node === undefined) break;
    next = made(next, around, { node, mode: 'RW', sinceMs: moment.nowMs });
  }
  return next;
}

/** Takes away what failed, once the reason is gone: a new one is made in its place. */
function replaceFailed(state: VolumeState, { fault, nowMs, stepMs }: Moment): VolumeState | undefined {
  const gone = ({ mode, sinceMs }: ReplicaState) =>
    nowMs - sinceMs >= stepMs && ((mode === 'ERR' && fault !== 'degraded') || (mode === 'failed' && fault !== 'rebuild-error'));
  const first = state.replicas.find(gone);
  return first && { ...state, replicas: state.replicas.filter((replica) => replica !== first) };
}

function addMissing(state: VolumeState, around: Surroundings, moment: Moment): VolumeState | undefined {
  const { fault, nowMs, stepMs } = moment;
  const busy = state.replicas.some(({ mode }) => mode !== 'RW');
  // Longhorn starts no copy for the sake of locality while a volume is moved.
  if (busy || fault === 'migrating' || nowMs - state.sinceMs < stepMs) return undefined;
  const enough = state.replicas.length >= around.numberOfReplicas;
  if (enough && !missesLocal(state, around)) return undefined;
  const node = placeFor(state, around, moment);
  if (node === undefined || (enough && node !== state.node)) return undefined;
  return made(state, around, { node, mode: 'WO', sinceMs: nowMs });
}

function removeSurplus(state: VolumeState, around: Surroundings, { nowMs, stepMs }: Moment): VolumeState {
  const { surplusSinceMs, ...rest } = state;
  const surplus = state.replicas.filter(({ mode, node }) => mode === 'RW' && node !== state.node);
  const readable = state.replicas.filter(({ mode }) => mode === 'RW');
  if (readable.length <= around.numberOfReplicas || readable.length !== state.replicas.length) return rest;
  if (surplusSinceMs === undefined) return { ...rest, surplusSinceMs: nowMs };
  if (nowMs - surplusSinceMs < stepMs) return state;
  const oldest = surplus[0];
  return { ...rest, replicas: state.replicas.filter((replica) => replica !== oldest) };
}

/** Whether the engine's node has no copy though it should have one. */
export function missesLocal({ node, replicas }: VolumeState, { dataLocality }: Surroundings): boolean {
  return dataLocality !== 'disabled' && replicas.every((replica) => replica.node !== node);
}

/** The engine's node first, then by name; one copy on each. */
export function placeFor(state: VolumeState, around: Surroundings, { fault }: Moment): string | undefined {
  const local = around.nodes.filter((node) => node === state.node && fault !== 'no-local-space');
  const candidates = [...local, ...around.nodes.filter((node) => node !== state.node)];
  return candidates.find((node) => state.replicas.every((replica) => replica.node !== node));
}

function made(state: VolumeState, { name }: Surroundings, replica: Omit<ReplicaState, 'name'>): VolumeState {
  const count = state.made + 1;
  return { ...state, made: count, replicas: [...state.replicas, { name: replicaName(name, count), ...replica }] };
}
