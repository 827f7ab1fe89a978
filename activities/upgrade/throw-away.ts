import { createHash } from 'node:crypto';
import type { NewObject, StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import { LABELS, MANAGED_BY } from '#libs/contracts/webspaces-api.js';
import type { Build } from '#libs/domain/upgrade/observed.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { Cluster } from './deps.js';
import { type Container, lxdContainer, parsePod, parseStatefulSet } from './objects.js';

const PULL = 'pull';
const PLACE = 'place';
const POD_NAME = 'statefulset.kubernetes.io/pod-name';
const HOSTNAME = 'kubernetes.io/hostname';

/** Of all upgrades of this cluster. */
export async function pullPodsOf({ kube, config }: Cluster, signal: AbortSignal): Promise<StoredObject[]> {
  const pods = await kube.list('wholePod', { labelSelector: UPGRADE_KEYS.operation, signal });
  return pods.filter(({ metadata }) => metadata.name.startsWith(`${config.statefulSet}-${PULL}-`));
}

export function ofImage(pod: StoredObject, image: string): boolean {
  return parsePod(pod).spec.containers[0]?.image === image;
}

/** Creates it, or leaves the one that an earlier attempt made. */
export async function ensurePod({ kube }: Cluster, pod: NewObject, signal: AbortSignal): Promise<void> {
  try {
    await kube.create('wholePod', pod, { signal });
  } catch (error) {
    if (!isPlatformError(error, 'CONFLICT')) throw error;
  }
}

export async function removePod({ kube }: Cluster, { metadata }: StoredObject, signal: AbortSignal): Promise<void> {
  await kube.delete('wholePod', metadata.name, { uid: metadata.uid }, { signal });
}

/** Does nothing: that it is to run has the image pulled to the node. */
export function pullPod({ config }: Cluster, template: StoredObject, { operationId, image, node }: PullRequest): NewObject {
  const { spec } = parseStatefulSet(template).spec.template;
  const { imagePullPolicy } = lxdContainer(spec, config);
  return {
    metadata: metadataOf(`${config.statefulSet}-${PULL}-${shortHash(operationId, node, image)}`, operationId),
    spec: {
      nodeName: node,
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      ...kept(spec, ['imagePullSecrets']),
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: PULL, image, command: ['true'], ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }) }],
    },
  };
}

interface PullRequest {
  readonly operationId: string;
  readonly image: string;
  readonly node: string;
}

/**
 * Keeps the place of a member's pod on its node while that is replaced, without a word in the template: the scheduler counts what pods that
 * are there wish of one that comes. This one wishes for the next pod of that name, and for no other of the StatefulSet. Both are only weighed:
 * a pod that cannot run there goes elsewhere.
 */
export function placePod({ config }: Cluster, template: StoredObject, { operationId, image, pod, node }: PlaceRequest): NewObject {
  const { template: wanted, selector } = parseStatefulSet(template).spec;
  const { imagePullPolicy } = lxdContainer(wanted.spec, config);
  const preferred = (labelSelector: object) => ({
    preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: { topologyKey: HOSTNAME, labelSelector } }],
  });
  const others = { matchLabels: selector.matchLabels, matchExpressions: [{ key: POD_NAME, operator: 'NotIn', values: [pod] }] };
  return {
    metadata: metadataOf(`${config.statefulSet}-${PLACE}-${shortHash(operationId, pod, node)}`, operationId),
    spec: {
      nodeName: node,
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      ...kept(wanted.spec, ['imagePullSecrets']),
      tolerations: [{ operator: 'Exists' }],
      affinity: { podAffinity: preferred({ matchLabels: { [POD_NAME]: pod } }), podAntiAffinity: preferred(others) },
      containers: [{ name: PLACE, image, command: ['sleep', 'infinity'], ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }) }],
    },
  };
}

interface PlaceRequest {
  readonly operationId: string;
  /** One that is on the node already. */
  readonly image: string;
  readonly pod: string;
  readonly node: string;
}

/** A name that a probe pod of this operation has. */
export function probePodName({ config }: Cluster, operationId: string): string {
  return `${config.statefulSet}-probe-${shortHash(operationId)}`;
}

/**
 * LXD of this build alone, as a member's pod would run it, with an empty folder instead of the member's data. Neither its labels nor its name
 * are those of a member, so no Service leads to it and no controller counts it. On a member's node, where such pods can run.
 */
export function probePod(
  { config, ...cluster }: Cluster,
  template: StoredObject,
  { operationId, build, node }: { readonly operationId: string; readonly build: Build; readonly node: string | undefined },
): NewObject {
  const set = parseStatefulSet(template);
  const { spec } = set.spec.template;
  const found = lxdContainer(spec, config);
  const claims = (((set.spec as Record<string, unknown>)['volumeClaimTemplates'] ?? []) as { metadata: { name: string } }[]).map(
    ({ metadata }) => metadata.name,
  );
  const ofData = found.volumeMounts.flatMap(({ name, mountPath }) => (isBelow(mountPath, config.lxdDir) ? [name] : []));
  const volumes = spec.volumes.map((volume) =>
    'persistentVolumeClaim' in volume || ofData.includes(volume.name) ? { name: volume.name, emptyDir: {} } : volume,
  );
  const named = new Set(volumes.map(({ name }) => name));
  const missing = claims.filter((name) => !named.has(name)).map((name) => ({ name, emptyDir: {} }));
  const mounts = ofData.length > 0 ? found.volumeMounts : [...found.volumeMounts, { name: 'lxd', mountPath: config.lxdDir }];
  return {
    metadata: metadataOf(probePodName({ config, ...cluster }, operationId), operationId),
    spec: {
      ...(node === undefined ? {} : { nodeName: node }),
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      ...kept(spec, ['imagePullSecrets', 'securityContext', 'runtimeClassName', 'dnsPolicy', 'hostAliases']),
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          ...alone(found, config.aloneCommand),
          image: build.image,
          env: environmentOf(found, build, config.environment),
          volumeMounts: mounts,
        },
      ],
      volumes: [...volumes, ...missing, ...(ofData.length > 0 ? [] : [{ name: 'lxd', emptyDir: {} }])],
    },
  };
}

/** Without what would make it a member, or end it: hooks, probes, ports, and the room that a member asks for. Devices of the node it has as a member has them. */
function alone(found: Container, command: readonly string[] | undefined): Record<string, unknown> {
  const {
    lifecycle: _hooks,
    livenessProbe: _liveness,
    readinessProbe: _readiness,
    startupProbe: _startup,
    ports: _ports,
    resources,
    ...own
  } = found as Record<string, unknown>;
  const rest: Record<string, unknown> = { ...own, ...devicesOf(resources) };
  if (!command) return rest;
  const { args: _args, ...others } = rest;
  return { ...others, command };
}

/** Of resources only what a device plugin gives, whose names have a domain. */
function devicesOf(resources: unknown): { readonly resources?: object } {
  const limits = (resources as { readonly limits?: Record<string, unknown> } | undefined)?.limits ?? {};
  const devices = Object.entries(limits).filter(([name]) => name.includes('/'));
  return devices.length === 0 ? {} : { resources: { limits: Object.fromEntries(devices) } };
}

function environmentOf(found: Container, build: Build, counting: readonly string[]): Container['env'] {
  const others = found.env.filter(({ name }) => !counting.includes(name));
  return [...others, ...Object.entries(build.environment).map(([name, value]) => ({ name, value }))];
}

function metadataOf(name: string, operationId: string): NewObject['metadata'] {
  return { name, labels: { [LABELS.managedBy]: MANAGED_BY, [UPGRADE_KEYS.operation]: operationId } };
}

function kept(spec: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.flatMap((key) => (spec[key] === undefined ? [] : [[key, spec[key]]])));
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`) || folder.startsWith(`${path}/`);
}

function shortHash(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 10);
}
