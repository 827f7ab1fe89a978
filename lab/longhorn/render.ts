import type { KindName, NewObject } from '#libs/contracts/kubernetes-objects.js';
import { type Moment, missesLocal, placeFor } from './copies.js';
import { engineStatus } from './render-engine.js';
import { ADDRESS, portOf, REBUILD_ERROR, replicaName } from './replica-names.js';
import { type ReplicaState, STATE_ANNOTATION, type Surroundings, type VolumeState } from './state.js';

/** An object as it shall be; its status is written through the subresource. */
export interface Rendered {
  readonly kind: KindName;
  readonly object: NewObject;
}

/** On every object, so that nobody takes it for a real one. */
const LABEL = { 'simulator.webspaces.ie/by': 'lab/longhorn: a simulator. There is no Longhorn, and no data.' };

/** What Longhorn's objects of a volume say in that state, as longhorn-manager 1.10 writes them. The Volume comes last: it holds the state. */
export function render(state: VolumeState, around: Surroundings, moment: Moment, claim: ClaimOfVolume): Rendered[] {
  const migrating = moment.fault === 'migrating' ? around.nodes.find((node) => node !== state.node) : undefined;
  const engines = [engine(state, around, moment), ...(migrating && attached(state) ? [migrationEngine(around, migrating)] : [])];
  const pending = schedulingFailure(state, around, moment) === 'LocalReplicaSchedulingFailure' ? [pendingReplica(state, around)] : [];
  const replicas = [...state.replicas.map((one) => replica(one, state, around)), ...pending];
  return [
    ...replicas.map((object): Rendered => ({ kind: 'longhornReplica', object })),
    ...engines.map((object): Rendered => ({ kind: 'longhornEngine', object })),
    { kind: 'longhornVolume', object: volume(state, around, moment, claim, migrating) },
  ];
}

export interface ClaimOfVolume {
  readonly namespace: string;
  readonly name: string;
  readonly persistentVolume: string;
  /** The last pod that used it; `podGoneAt` when it is not there any more. */
  readonly pod?: { readonly name: string; readonly phase: string; readonly workload?: { readonly kind: string; readonly name: string } };
  readonly podGoneAt?: string;
}

function volume(state: VolumeState, around: Surroundings, moment: Moment, claim: ClaimOfVolume, migrating: string | undefined): NewObject {
  const { name, sizeBytes, numberOfReplicas, dataLocality } = around;
  const on = attached(state) ? (state.node ?? '') : '';
  const failure = schedulingFailure(state, around, moment);
  return {
    metadata: { name, labels: { longhornvolume: name }, annotations: { ...LABEL, [STATE_ANNOTATION]: JSON.stringify(state) } },
    spec: {
      size: String(sizeBytes),
      numberOfReplicas,
      dataLocality,
      nodeID: state.attachment === 'attached' || state.attachment === 'attaching' ? (state.node ?? '') : '',
      migrationNodeID: migrating ?? '',
      dataEngine: 'v1',
      frontend: 'blockdev',
      accessMode: 'rwo',
    },
    status: {
      state: state.attachment,
      robustness: robustnessOf(state, numberOfReplicas),
      currentNodeID: on,
      currentMigrationNodeID: on && migrating ? migrating : '',
      expansionRequired: false,
      actualSize: sizeBytes,
      conditions: [condition('Scheduled', failure, ''), condition('TooManySnapshots', undefined, '', 'False')],
      kubernetesStatus: kubernetesStatus(claim),
    },
  };
}

function robustnessOf(state: VolumeState, wanted: number): string {
  const readable = state.replicas.filter(({ mode }) => mode === 'RW').length;
  if (state.made > 0 && readable === 0) return 'faulted';
  if (state.attachment !== 'attached') return 'unknown';
  return readable >= wanted ? 'healthy' : 'degraded';
}

function schedulingFailure(state: VolumeState, around: Surroundings, moment: Moment): string | undefined {
  if (!attached(state) || moment.fault === 'migrating') return undefined;
  const lacks = state.replicas.filter(({ mode }) => mode === 'RW' || mode === 'WO').length < around.numberOfReplicas;
  const local = around.nodes.includes(state.node ?? '') && moment.fault !== 'no-local-space';
  if (missesLocal(state, around) && !local) return 'LocalReplicaSchedulingFailure';
  return lacks && placeFor(state, around, moment) === undefined ? 'ReplicaSchedulingFailure' : undefined;
}

function condition(type: string, failure: string | undefined, message: string, otherwise: 'True' | 'False' = 'True') {
  return { type, status: failure ? 'False' : otherwise, reason: failure ?? '', message, lastProbeTime: '', lastTransitionTime: '' };
}

function kubernetesStatus({ namespace, name, persistentVolume, pod, podGoneAt }: ClaimOfVolume) {
  const { kind = '', name: workload = '' } = pod?.workload ?? {};
  return {
    pvName: persistentVolume,
    pvStatus: 'Bound',
    namespace,
    pvcName: name,
    lastPodRefAt: podGoneAt ?? '',
    workloadsStatus: pod ? [{ podName: pod.name, podStatus: pod.phase, workloadName: workload, workloadType: kind }] : [],
  };
}

function engine(state: VolumeState, around: Surroundings, moment: Moment): NewObject {
  return {
    ...engineOf(around, `${around.name}-e-0`, { node: state.attachment === 'detached' ? '' : (state.node ?? ''), active: true }),
    status: engineStatus(state, around, moment),
  };
}

function migrationEngine(around: Surroundings, node: string): NewObject {
  return { ...engineOf(around, `${around.name}-e-1`, { node, active: false }), status: { currentState: 'running', isExpanding: false } };
}

function engineOf({ name, sizeBytes }: Surroundings, engineName: string, { node, active }: { node: string; active: boolean }): NewObject {
  return {
    metadata: { name: engineName, labels: { longhornvolume: name }, annotations: LABEL },
    spec: { volumeName: name, volumeSize: String(sizeBytes), nodeID: node, active, dataEngine: 'v1', frontend: 'blockdev' },
  };
}

function replica({ name, node, mode, sinceMs }: ReplicaState, state: VolumeState, around: Surroundings): NewObject {
  const at = new Date(sinceMs).toISOString();
  const bad = mode === 'ERR' || mode === 'failed';
  const failed = { type: 'RebuildFailed', status: 'True', reason: 'General', message: REBUILD_ERROR };
  return {
    ...replicaOf(around, name, { nodeID: node, healthyAt: mode === 'RW' ? at : '', failedAt: bad ? at : '' }),
    status: {
      currentState: attached(state) && !bad ? 'running' : 'stopped',
      storageIP: ADDRESS,
      port: portOf(name),
      conditions: mode === 'failed' ? [failed] : [],
    },
  };
}

/** The local one that has no place yet. */
function pendingReplica(state: VolumeState, around: Surroundings): NewObject {
  const spec = { nodeID: '', hardNodeAffinity: state.node ?? '', healthyAt: '', failedAt: '' };
  return {
    ...replicaOf(around, `${replicaName(around.name, state.made + 1)}-pending`, spec),
    status: { currentState: 'stopped', conditions: [] },
  };
}

function replicaOf({ name, sizeBytes }: Surroundings, replicaName: string, spec: object): NewObject {
  return {
    metadata: { name: replicaName, labels: { longhornvolume: name }, annotations: LABEL },
    spec: {
      volumeName: name,
      volumeSize: String(sizeBytes),
      engineName: `${name}-e-0`,
      active: true,
      dataEngine: 'v1',
      ...spec,
    },
  };
}

function attached({ attachment }: VolumeState): boolean {
  return attachment === 'attached';
}
