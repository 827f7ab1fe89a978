import type { UpgradeAction } from '../actions.js';
import type { Timings } from '../desired.js';
import type { Alignment, Build, ObservedCluster, ObservedPod, ObservedStatefulSet, ProbeKind, Versions } from '../observed.js';
import { buildText, sameBuild } from '../wording.js';
import { align, hasMajority, type SimulatedMember, startDaemon } from './simulated-lxd.js';
import { followPod, newVolume, type RebuildFault, volumeAt } from './simulated-volume.js';

export interface SimulationOptions {
  readonly members: number;
  readonly podManagementPolicy: ObservedStatefulSet['podManagementPolicy'];
  readonly updateStrategy?: ObservedStatefulSet['updateStrategy'];
  readonly build: Build;
  readonly versionsOf: (build: Build) => Versions;
  readonly timings: Timings;
  readonly alignment?: Alignment;
  readonly leader?: string;
  readonly instances: readonly number[];
  readonly evacuated?: readonly string[];
  /** Images whose daemon exits at once. */
  readonly crashing?: readonly string[];
  /** Members whose next pod lands on another node. */
  readonly displaced?: readonly string[];
  /** Nodes that take no new pods. */
  readonly cordoned?: readonly string[];
  /** Members whose volume has to build a copy on its own node when its pod is replaced. */
  readonly rebuilds?: Readonly<Record<string, RebuildFault>>;
}

interface SimulatedPod {
  readonly name: string;
  readonly node: string;
  readonly build: Build;
  readonly probes: readonly ProbeKind[];
  readonly createdAt: number;
  started: boolean;
  restarts: number;
  deletedAt?: number;
}

export interface Simulation {
  readonly now: () => number;
  readonly observe: () => ObservedCluster;
  readonly tick: () => void;
  readonly apply: (action: UpgradeAction) => void;
  /** An operator deletes the replica that is stuck. */
  readonly mendRebuild: (member: string) => void;
  /** An operator brings the pod down, as a person with kubectl would. */
  readonly deletePod: (pod: string) => void;
  readonly members: readonly SimulatedMember[];
  readonly electing: () => boolean;
}

export const PROBES: readonly ProbeKind[] = ['liveness', 'readiness', 'startup'];
const OFFLINE_THRESHOLD_SECONDS = 20;
const SIZE_BYTES = 2 * 1024 ** 3;

/** A cluster of LXD members in pods of a StatefulSet with a volume each, second by second, as the facts in the README have it. */
export function createSimulation(options: SimulationOptions): Simulation {
  const { timings, build, versionsOf, alignment = 'upwards', crashing = [], displaced = [], cordoned = [], rebuilds = {} } = options;
  const names = Array.from({ length: options.members }, (_, ordinal) => `lxd-${ordinal}`);
  const nodeOf = (name: string) => `node-${name.slice('lxd-'.length)}`;
  let now = 0;
  let leader: string | undefined = options.leader ?? names[0];
  let electedAt = 0;
  let statefulSet = {
    podManagementPolicy: options.podManagementPolicy,
    updateStrategy: options.updateStrategy ?? { type: 'OnDelete' as const },
    template: { build, probes: PROBES },
  };
  const members: SimulatedMember[] = names.map((name, index) => ({
    name,
    daemon: 'serving',
    row: versionsOf(build),
    lastSeenAt: 0,
    evacuated: options.evacuated?.includes(name) ?? false,
    instances: options.instances[index] ?? 0,
  }));
  const volumes = names.map((name) => newVolume(name, nodeOf(name), SIZE_BYTES));
  const pods = new Map<string, SimulatedPod>(
    names.map((name) => [name, { name, node: nodeOf(name), build, probes: PROBES, createdAt: -1000, started: true, restarts: 0 }]),
  );
  const moved = new Set<string>();

  const revisionOf = (template: { build: Build; probes: readonly ProbeKind[] }) => `${buildText(template.build)}/${template.probes.length}`;
  const isRunning = (pod: SimulatedPod) => now >= pod.createdAt + timings.createSeconds;
  const memberOf = (name: string) => members.find((member) => member.name === name);
  const isReady = (pod: SimulatedPod) =>
    pod.deletedAt === undefined && isRunning(pod) && (!pod.probes.includes('readiness') || memberOf(pod.name)?.daemon === 'serving');

  function deletePod(name: string): void {
    const pod = pods.get(name);
    const member = memberOf(name);
    if (!pod || !member) return;
    pod.deletedAt ??= now;
    member.daemon = 'off';
  }

  function create(name: string): void {
    const away = cordoned.includes(nodeOf(name)) || (displaced.includes(name) && !moved.has(name));
    if (away) moved.add(name);
    const { template } = statefulSet;
    pods.set(name, { name, node: away ? 'node-spare' : nodeOf(name), ...template, createdAt: now, started: false, restarts: 0 });
  }

  /** The controller of StatefulSets: ordered, it looks at no pod behind one that is missing or not ready. */
  function reconcile(): void {
    for (const name of names) {
      const pod = pods.get(name);
      if (!pod) create(name);
      if (statefulSet.podManagementPolicy === 'OrderedReady' && (!pod || !isReady(pod))) return;
    }
    if (statefulSet.updateStrategy.type !== 'RollingUpdate' || ![...pods.values()].every(isReady)) return;
    const old = names.filter((name) => revisionOf(pods.get(name) ?? statefulSet.template) !== revisionOf(statefulSet.template)).at(-1);
    if (old !== undefined) deletePod(old);
  }

  function runDaemons(): void {
    for (const pod of pods.values()) {
      const member = memberOf(pod.name);
      if (!member || pod.deletedAt !== undefined || now < pod.createdAt + timings.createSeconds + timings.startSeconds) continue;
      if (crashing.includes(pod.build.image)) {
        if (!pod.started) pod.restarts = 3;
        pod.started = true;
      } else if (!pod.started || member.daemon === 'electing' || (member.daemon === 'exited' && now % 5 === 0)) {
        pod.started = true;
        member.daemon = 'electing';
        if (hasMajority(members)) startDaemon(member, members, { versions: versionsOf(pod.build), alignment });
      }
    }
    align(members, { now, alignSeconds: timings.alignSeconds });
  }

  function elect(): void {
    const up = (name: string | undefined) =>
      members.some((member) => member.name === name && ['serving', 'waiting'].includes(member.daemon));
    if (up(leader) && hasMajority(members)) return;
    leader = hasMajority(members) ? names.find(up) : undefined;
    electedAt = now + timings.electionSeconds;
  }

  return {
    now: () => now,
    members,
    deletePod,
    electing: () => leader === undefined || now < electedAt,
    mendRebuild: (name) => {
      const volume = volumes.find(({ member }) => member === name);
      if (volume?.building) volume.building.mendedAt = now;
    },
    tick: () => {
      now += 1;
      for (const [name, { deletedAt }] of pods) if (deletedAt !== undefined && now >= deletedAt + timings.stopSeconds) pods.delete(name);
      reconcile();
      runDaemons();
      elect();
      for (const volume of volumes) {
        const pod = pods.get(volume.member);
        const node = pod && isRunning(pod) ? pod.node : undefined;
        followPod(volume, { node, now, fault: rebuilds[volume.member] });
      }
      for (const member of members) if (member.daemon !== 'off' && member.daemon !== 'exited') member.lastSeenAt = now;
    },
    apply: (action) => {
      if (action.do === 'patch-template') {
        statefulSet = { ...statefulSet, updateStrategy: { type: 'OnDelete' }, template: { build: action.build, probes: action.probes } };
      } else if (action.do === 'set-update-strategy') statefulSet = { ...statefulSet, updateStrategy: action.updateStrategy };
      else if (action.do === 'recreate-statefulset') statefulSet = { ...statefulSet, podManagementPolicy: action.podManagementPolicy };
      else if (action.do === 'delete-pods') {
        for (const name of action.pods) {
          const pod = pods.get(name);
          const current = pod && sameBuild(pod.build, statefulSet.template.build) && revisionOf(pod) === revisionOf(statefulSet.template);
          if (!current) deletePod(name);
        }
      } else if (action.do === 'evacuate-member' || action.do === 'restore-member') {
        const member = memberOf(action.member);
        if (member) member.evacuated = action.do === 'evacuate-member';
      }
    },
    observe: () => ({
      name: 'lab',
      alignment,
      ...(leader === undefined ? {} : { leader }),
      members: members.map(({ name, daemon, row, lastSeenAt, evacuated, instances }) => ({
        name,
        pod: name,
        architecture: 'x86_64',
        status: now - lastSeenAt > OFFLINE_THRESHOLD_SECONDS ? 'Offline' : evacuated ? 'Evacuated' : 'Online',
        message: now - lastSeenAt > OFFLINE_THRESHOLD_SECONDS ? `No heartbeat for ${now - lastSeenAt} s` : 'Fully operational',
        answers: daemon === 'serving' ? 'serving' : daemon === 'waiting' ? 'waiting' : 'silent',
        versions: row,
        database: 'voter',
        instancesRunning: evacuated || daemon !== 'serving' ? 0 : instances,
      })),
      statefulSet: {
        name: 'lxd',
        replicas: names.length,
        ...statefulSet,
        updateRevision: revisionOf(statefulSet.template),
      },
      pods: [...pods.values()].map(
        (pod): ObservedPod => ({
          name: pod.name,
          node: pod.node,
          revision: revisionOf(pod),
          build: pod.build,
          phase: isRunning(pod) ? 'Running' : 'Pending',
          ready: isReady(pod) ? 'yes' : 'no',
          deleting: pod.deletedAt === undefined ? 'no' : 'yes',
          restarts: pod.restarts,
          ...(pod.restarts > 0 ? { trouble: { reason: 'CrashLoopBackOff', message: 'exit code 1' } } : {}),
          probes: pod.probes,
        }),
      ),
      storage: 'longhorn',
      volumes: volumes.map((volume) => volumeAt(volume, now)),
      images: names.map((name) => ({ node: nodeOf(name), state: 'present' })),
      cordoned: [...cordoned],
      operations: [],
    }),
  };
}
