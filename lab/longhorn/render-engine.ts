import { type Moment, partDone } from './copies.js';
import { ADDRESS, portOf, REBUILD_ERROR } from './replica-names.js';
import type { ReplicaState, Surroundings, VolumeState } from './state.js';

/** The engine's own words: modes, addresses and rebuilds. While it does not run it knows of no replica. */
export function engineStatus(state: VolumeState, around: Surroundings, moment: Moment): object {
  const currentState = { detached: 'stopped', attaching: 'starting', attached: 'running', detaching: 'stopping' }[state.attachment];
  if (state.attachment !== 'attached') {
    return { currentState, isExpanding: false, replicaModeMap: {}, currentReplicaAddressMap: {}, rebuildStatus: {} };
  }
  const known = state.replicas.filter(({ mode }) => mode !== 'failed');
  const rebuilds = known.filter(({ mode }) => mode === 'WO').map((one) => [`tcp://${addressOf(one)}`, rebuildStatus(one, around, moment)]);
  return {
    currentState,
    isExpanding: false,
    replicaModeMap: Object.fromEntries(known.map(({ name, mode }) => [name, mode])),
    replicaTransitionTimeMap: Object.fromEntries(known.map(({ name, sinceMs }) => [name, new Date(sinceMs).toISOString()])),
    currentReplicaAddressMap: Object.fromEntries(known.map((one) => [one.name, addressOf(one)])),
    rebuildStatus: Object.fromEntries(rebuilds),
  };
}

function rebuildStatus(replica: ReplicaState, { sizeBytes }: Surroundings, moment: Moment): object {
  const percent = Math.min(100, Math.floor(partDone(replica, sizeBytes, moment) * 100));
  const said = moment.fault === 'over-100' ? Math.floor(percent * 1.18) : percent;
  switch (replica.ended?.as) {
    case 'complete':
      return { isRebuilding: false, progress: 100, state: 'complete', error: '' };
    case 'error':
      return { isRebuilding: false, progress: 10, state: 'error', error: REBUILD_ERROR };
    case undefined:
      return { isRebuilding: true, progress: moment.fault === 'over-100' ? said : Math.min(99, said), state: 'in_progress', error: '' };
  }
}

function addressOf({ name }: ReplicaState): string {
  return `${ADDRESS}:${portOf(name)}`;
}
