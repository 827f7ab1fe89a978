import type { Fault } from './faults.js';
import type { Settings } from './settings.js';
import type { Surroundings, VolumeState } from './state.js';

/** The next state of the attachment: it follows the pod, from node to node by way of detached, each step taking its time. */
export function advanceAttachment(
  state: VolumeState,
  { pod }: Surroundings,
  { fault, nowMs, stepMs }: { readonly fault: Fault | undefined; readonly nowMs: number } & Pick<Settings, 'stepMs'>,
): VolumeState {
  const wanted = fault === 'detached' || fault === 'faulted' ? undefined : pod;
  const done = nowMs - state.sinceMs >= stepMs;
  const right = wanted !== undefined && wanted.uid === state.podUid && wanted.node === state.node;
  switch (state.attachment) {
    case 'detached':
      return wanted ? { ...state, attachment: 'attaching', sinceMs: nowMs, node: wanted.node, podUid: wanted.uid } : state;
    case 'attaching':
      if (!right) return { ...state, attachment: 'detaching', sinceMs: nowMs };
      return done ? { ...state, attachment: 'attached', sinceMs: nowMs } : state;
    case 'attached':
      return right ? state : { ...state, attachment: 'detaching', sinceMs: nowMs };
    case 'detaching': {
      if (!done) return state;
      const { node: _node, podUid: _podUid, surplusSinceMs: _surplus, ...rest } = state;
      // What was being built is of no use: the engine that wrote to it is gone.
      const replicas = state.replicas.filter(({ mode }) => mode !== 'WO');
      return { ...rest, attachment: 'detached', sinceMs: nowMs, replicas };
    }
  }
}
