import { isDeepStrictEqual } from 'node:util';
import type { KindName, NewObject, StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { advanceAttachment } from './attachment.js';
import { type Claim, type Node, type Pod, readClaims, readNodes, readPods } from './cluster.js';
import { advanceCopies } from './copies.js';
import { faultIn } from './faults.js';
import { type ClaimOfVolume, type Rendered, render } from './render.js';
import { renderNode } from './render-node.js';
import { parseSettings, SETTINGS_NAME, type Settings } from './settings.js';
import { newState, parseState, STATE_ANNOTATION, type Surroundings, type VolumeState } from './state.js';

export interface SimulatorOptions {
  readonly kube: KubernetesClient;
  /** Longhorn's own. */
  readonly namespace: string;
  /** Whose claims get volumes. */
  readonly claimsNamespace: string;
}

const PARTS = ['longhornReplica', 'longhornEngine'] as const;

/**
 * Plays Longhorn: a volume with engine and replicas for every bound claim of a namespace, which follows the pod that uses it. It holds no
 * data, and its objects say so. Everything it remembers is in the objects, so that it may be killed at any moment.
 */
export class Simulator {
  readonly #longhorn: KubernetesClient;
  readonly #claims: KubernetesClient;
  /** What was written last, to write only what changes. */
  readonly #written = new Map<string, NewObject>();

  constructor(private readonly options: SimulatorOptions) {
    this.#longhorn = options.kube.in(options.namespace);
    this.#claims = options.kube.in(options.claimsNamespace);
  }

  /** One look at everything, and one step of each volume at most. */
  async step(nowMs: number): Promise<void> {
    const settings = parseSettings((await this.#longhorn.find('configMap', SETTINGS_NAME))?.['data']);
    const [pods, claims, all] = await Promise.all([readPods(this.#claims), readClaims(this.#claims), readNodes(this.#claims)]);
    const nodes = all.filter(({ name }) => settings.nodes.length === 0 || settings.nodes.includes(name));
    const [volumes, replicas, engines] = await Promise.all([
      this.#longhorn.list('longhornVolume'),
      this.#longhorn.list('longhornReplica'),
      this.#longhorn.list('longhornEngine'),
    ]);
    const there = new Set([...volumes, ...replicas, ...engines].map(({ kind, metadata }) => `${kind}/${metadata.name}`));
    for (const key of this.#written.keys()) if (!there.has(key) && !key.startsWith('Node/')) this.#written.delete(key);
    const wanted = claims.flatMap((claim) => this.#next(claim, { pods, nodes, volumes, replicas, settings, nowMs }));
    await Promise.all(nodes.map((node) => this.#write(renderNode(node, volumes))));
    // One after the other, the Volume last: what it says has been made.
    for (const rendered of wanted) await this.#write(rendered);
    await this.#removeAllBut(wanted, { longhornVolume: volumes, longhornReplica: replicas, longhornEngine: engines });
  }

  #next(
    claim: Claim,
    world: {
      readonly pods: readonly Pod[];
      readonly nodes: readonly Node[];
      readonly volumes: readonly StoredObject[];
      readonly replicas: readonly StoredObject[];
      readonly settings: Settings;
      readonly nowMs: number;
    },
  ): Rendered[] {
    const { settings, nowMs } = world;
    const name = claim.persistentVolume;
    const volume = world.volumes.find(({ metadata }) => metadata.name === name);
    const pod = world.pods.find(({ claims }) => claims.includes(claim.name));
    const around: Surroundings = {
      name,
      sizeBytes: claim.sizeBytes,
      ...placementOf(volume, settings),
      ...(pod?.node ? { pod } : {}),
      nodes: world.nodes.filter(({ schedulable }) => schedulable === 'yes').map((node) => node.name),
    };
    const moment = { ...settings, fault: faultIn(volume?.metadata.annotations), nowMs };
    const before = withoutDeleted(parseState(volume?.metadata.annotations?.[STATE_ANNOTATION]) ?? newState(nowMs), world.replicas);
    const after = advanceCopies(advanceAttachment(before, around, moment), around, moment);
    return render(after, around, moment, this.#claimOf(claim, pod, volume, nowMs));
  }

  /** Longhorn remembers the last pod of a volume when it is gone. */
  #claimOf(claim: Claim, pod: Pod | undefined, volume: StoredObject | undefined, nowMs: number): ClaimOfVolume {
    const base = { namespace: this.options.claimsNamespace, name: claim.name, persistentVolume: claim.persistentVolume };
    if (pod) return { ...base, pod };
    const said = (volume?.['status'] as VolumeStatus | undefined)?.kubernetesStatus;
    const last = said?.workloadsStatus?.[0];
    if (!last) return base;
    const workload = { kind: last.workloadType, name: last.workloadName };
    const podGoneAt = said?.lastPodRefAt || new Date(nowMs).toISOString();
    return { ...base, pod: { name: last.podName, phase: last.podStatus, workload }, podGoneAt };
  }

  async #write({ kind, object }: Rendered): Promise<void> {
    const key = `${KIND_NAMES[kind]}/${object.metadata.name}`;
    const before = this.#written.get(key);
    if (isDeepStrictEqual(before, object)) return;
    const { status, ...rest } = object;
    const { status: statusBefore, ...restBefore }: Partial<NewObject> = before ?? {};
    if (!before || !isDeepStrictEqual(rest, restBefore)) await this.#longhorn.apply(kind, rest as NewObject);
    if (!before || !isDeepStrictEqual(status, statusBefore)) {
      await this.#longhorn.apply(kind, { metadata: { name: object.metadata.name }, status }, { subresource: 'status' });
    }
    this.#written.set(key, object);
  }

  async #removeAllBut(wanted: readonly Rendered[], listed: Readonly<Record<string, readonly StoredObject[]>>): Promise<void> {
    for (const kind of [...PARTS, 'longhornVolume'] as const) {
      const keep = new Set(wanted.filter((rendered) => rendered.kind === kind).map(({ object }) => object.metadata.name));
      for (const { metadata } of listed[kind] ?? []) {
        if (!keep.has(metadata.name)) await this.#longhorn.delete(kind, metadata.name, { uid: metadata.uid });
      }
    }
  }
}

interface VolumeStatus {
  readonly kubernetesStatus?: {
    readonly lastPodRefAt?: string;
    readonly workloadsStatus?: readonly {
      readonly podName: string;
      readonly podStatus: string;
      readonly workloadName: string;
      readonly workloadType: string;
    }[];
  };
}

const KIND_NAMES: Readonly<Partial<Record<KindName, string>>> = {
  longhornVolume: 'Volume',
  longhornReplica: 'Replica',
  longhornEngine: 'Engine',
  longhornNode: 'Node',
};

/** Of a volume that is there, as it is: an operator may change it. */
function placementOf(volume: StoredObject | undefined, settings: Settings): Pick<Surroundings, 'numberOfReplicas' | 'dataLocality'> {
  const spec = volume?.['spec'] as Partial<Pick<Surroundings, 'numberOfReplicas' | 'dataLocality'>> | undefined;
  return {
    numberOfReplicas: spec?.numberOfReplicas ?? settings.numberOfReplicas,
    dataLocality: spec?.dataLocality ?? settings.dataLocality,
  };
}

/** A replica that somebody deleted is gone: another is made. */
function withoutDeleted(state: VolumeState, replicas: readonly StoredObject[]): VolumeState {
  const there = new Set(replicas.map(({ metadata }) => metadata.name));
  return { ...state, replicas: state.replicas.filter(({ name }) => there.has(name)) };
}
