import { z } from 'zod';
import type { ClusterConfig } from '#libs/config/clusters.js';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { Build, ObservedPod, ObservedStatefulSet, ProbeKind, UpdateStrategy } from '#libs/domain/upgrade/observed.js';
import { PROBE_KINDS } from '#libs/domain/upgrade/observed.js';
import { PlatformError } from '#libs/errors/platform-error.js';

/** The parts of a pod spec that an upgrade looks at; the rest is kept as it is. */
const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })).default([]),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).default([]),
});
export type Container = z.output<typeof container>;

const podSpec = z.looseObject({
  nodeName: z.string().optional(),
  containers: z.array(container),
  volumes: z.array(z.looseObject({ name: z.string() })).default([]),
});
export type PodSpec = z.output<typeof podSpec>;

const statefulSet = z.looseObject({
  spec: z.looseObject({
    replicas: z.number().int().default(1),
    selector: z.looseObject({ matchLabels: z.record(z.string(), z.string()).default({}) }),
    podManagementPolicy: z.enum(['OrderedReady', 'Parallel']).default('OrderedReady'),
    updateStrategy: z
      .looseObject({
        type: z.string().default('RollingUpdate'),
        rollingUpdate: z.looseObject({ partition: z.number().optional() }).optional(),
      })
      .prefault({}),
    template: z.looseObject({
      metadata: z.looseObject({ labels: z.record(z.string(), z.string()).default({}) }).prefault({}),
      spec: podSpec,
    }),
  }),
  status: z.looseObject({ updateRevision: z.string().default(''), observedGeneration: z.number().default(0) }).prefault({}),
});
export type StatefulSetParts = z.output<typeof statefulSet>;

const reasoned = z.looseObject({ reason: z.string().default(''), message: z.string().default('') });
const terminated = reasoned.extend({ exitCode: z.number().default(0) });
const containerState = z.looseObject({
  waiting: reasoned.optional(),
  running: z.looseObject({}).optional(),
  terminated: terminated.optional(),
});
const containerStatus = z.looseObject({
  name: z.string(),
  imageID: z.string().default(''),
  restartCount: z.number().default(0),
  state: containerState.prefault({}),
  lastState: containerState.prefault({}),
});
export type ContainerStatus = z.output<typeof containerStatus>;

const pod = z.looseObject({
  spec: podSpec,
  status: z
    .looseObject({
      phase: z.string().default('Unknown'),
      reason: z.string().default(''),
      message: z.string().default(''),
      conditions: z.array(reasoned.extend({ type: z.string(), status: z.string() })).default([]),
      containerStatuses: z.array(containerStatus).default([]),
      initContainerStatuses: z.array(containerStatus).default([]),
    })
    .prefault({}),
});
export type PodParts = z.output<typeof pod>;

export const parseStatefulSet = (object: StoredObject): StatefulSetParts => parsed(statefulSet, object);
/** Of its pods, as a list of them is asked for. */
export function labelSelectorOf(statefulSet: StoredObject): string {
  const labels = Object.entries(parseStatefulSet(statefulSet).spec.selector.matchLabels);
  return labels.map(([key, value]) => `${key}=${value}`).join(',');
}

export const parsePod = (object: StoredObject): PodParts => parsed(pod, object);

function parsed<S extends z.ZodType>(schema: S, object: StoredObject): z.output<S> {
  const result = schema.safeParse(object);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new PlatformError('PROTOCOL', `${object.kind} ${object.metadata.name}: field ${issue?.path.join('.')}: ${issue?.message}.`);
}

type Parts = Pick<ClusterConfig, 'container' | 'environment' | 'statefulSet'>;

/** @throws PROTOCOL when the pod spec has no container of that name. */
export function lxdContainer({ containers }: PodSpec, { container: name, statefulSet: owner }: Parts): Container {
  const found = containers.find((one) => one.name === name);
  if (found) return found;
  const there = containers.map((one) => one.name).join(', ');
  throw new PlatformError('PROTOCOL', `The pods of ${owner} have no container ${name} (but ${there}). See \`clusters[].container\`.`);
}

/** Of the environment only what counts; a variable whose value comes from elsewhere counts as absent. */
export function buildOf({ image, env }: Container, { environment }: Parts): Build {
  const counting = env.flatMap(({ name, value }) => (environment.includes(name) && value !== undefined ? [[name, value] as const] : []));
  return { image, environment: Object.fromEntries(counting) };
}

export function probesOf(found: Container): ProbeKind[] {
  return PROBE_KINDS.filter((kind) => found[`${kind}Probe`] !== undefined);
}

export function observedStatefulSet(object: StoredObject, parts: Parts): ObservedStatefulSet {
  const { spec, status } = parseStatefulSet(object);
  const found = lxdContainer(spec.template.spec, parts);
  return {
    name: object.metadata.name,
    replicas: spec.replicas,
    podManagementPolicy: spec.podManagementPolicy,
    updateStrategy: updateStrategyOf(spec.updateStrategy),
    updateRevision: status.updateRevision,
    template: { build: buildOf(found, parts), probes: probesOf(found) },
  };
}

function updateStrategyOf({ type, rollingUpdate }: StatefulSetParts['spec']['updateStrategy']): UpdateStrategy {
  return type === 'OnDelete' ? { type } : { type: 'RollingUpdate', partition: rollingUpdate?.partition ?? 0 };
}

const PHASES: Readonly<Record<string, ObservedPod['phase']>> = {
  Pending: 'Pending',
  Running: 'Running',
  Failed: 'Failed',
  Succeeded: 'Failed',
};

export function observedPod(object: StoredObject, parts: Parts): ObservedPod {
  const { spec, status } = parsePod(object);
  const found = lxdContainer(spec, parts);
  const state = status.containerStatuses.find(({ name }) => name === parts.container);
  const trouble = troubleOf({ spec, status });
  return {
    name: object.metadata.name,
    ...(spec.nodeName === undefined ? {} : { node: spec.nodeName }),
    revision: object.metadata.labels?.['controller-revision-hash'] ?? '',
    build: buildOf(found, parts),
    phase: PHASES[status.phase] ?? 'Unknown',
    ready: status.conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True') ? 'yes' : 'no',
    deleting: object.metadata.deletionTimestamp === undefined ? 'no' : 'yes',
    restarts: state?.restartCount ?? 0,
    ...(trouble ? { trouble } : {}),
    probes: probesOf(found),
  };
}

/** What a container does while all is well. */
const ON_ITS_WAY: ReadonlySet<string> = new Set(['', 'ContainerCreating', 'PodInitializing']);

/** Why a pod does not run, in the kubelet's or the scheduler's words; with how the container ended last. */
export function troubleOf({ status }: PodParts): { readonly reason: string; readonly message: string } | undefined {
  const waits = [...status.initContainerStatuses, ...status.containerStatuses].find(
    ({ state }) => state.waiting && !ON_ITS_WAY.has(state.waiting.reason),
  );
  if (waits?.state.waiting) {
    const { reason, message } = waits.state.waiting;
    const last = waits.lastState.terminated;
    const ended = last ? `; it ended with exit code ${last.exitCode}${last.reason ? ` (${last.reason})` : ''}` : '';
    return { reason, message: `${message || 'no message'}${ended}` };
  }
  const unscheduled = status.conditions.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  if (unscheduled) return { reason: unscheduled.reason || 'Unschedulable', message: unscheduled.message };
  return status.phase === 'Failed' ? { reason: status.reason || 'Failed', message: status.message || 'no message' } : undefined;
}
