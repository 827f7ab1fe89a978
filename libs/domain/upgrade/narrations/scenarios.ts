import type { DesiredUpgrade } from '../desired.js';
import type { Build, ObservedCluster, Versions } from '../observed.js';
import type { PlanKind } from '../plan.js';
import { buildText } from '../wording.js';
import type { Operator, Rollout } from './narrate.js';
import { createSimulation, PROBES, type Simulation, type SimulationOptions } from './simulation.js';

export const TIMINGS = {
  stopSeconds: 8,
  createSeconds: 3,
  startSeconds: 4,
  alignSeconds: 3,
  instancesSeconds: 5,
  electionSeconds: 2,
  evacuateSeconds: 5,
};
export const OLD: Build = { image: 'lxd:1', environment: {} };
/** Of the same versions as {@link OLD}. */
export const REBUILT: Build = { image: 'lxd:1-rebuilt', environment: {} };
export const BUMPED: Build = { image: 'lxd:1', environment: { LXD_ARTIFICIALLY_BUMP_API_EXTENSIONS: '1' } };
/** Of another schema. */
export const NEWER: Build = { image: 'lxd:2', environment: {} };
const VERSIONS: Readonly<Record<string, Versions>> = {
  [buildText(OLD)]: { schema: 60, apiExtensions: 318 },
  [buildText(REBUILT)]: { schema: 60, apiExtensions: 318 },
  [buildText(BUMPED)]: { schema: 60, apiExtensions: 319 },
  [buildText(NEWER)]: { schema: 73, apiExtensions: 390 },
};
const MIB = 1024 ** 2;

export function versionsOf(build: Build): Versions {
  return VERSIONS[buildText(build)] ?? { schema: 0, apiExtensions: 0 };
}

export function desiredOf(build: Build, changes: Partial<DesiredUpgrade> = {}): DesiredUpgrade {
  return {
    build,
    target: {
      versions: versionsOf(build),
      serverVersion: '5.0.2',
      digest: 'sha256:1',
      architectures: ['x86_64', 'aarch64'],
      alignment: 'upwards',
    },
    probes: 'lease',
    probeKinds: PROBES,
    way: 'statefulset',
    instances: 'stop',
    timings: TIMINGS,
    deadlinesSeconds: {},
    settleSeconds: 10,
    stuckSeconds: 300,
    ...changes,
  };
}

export function simulationOf(members: number, changes: Partial<SimulationOptions> = {}): Simulation {
  return createSimulation({
    members,
    podManagementPolicy: 'Parallel',
    build: OLD,
    versionsOf,
    timings: TIMINGS,
    leader: 'lxd-1',
    instances: [2, 0, 1, 7, 4],
    ...changes,
  });
}

interface Scenario {
  readonly members: number;
  readonly kind: PlanKind;
  readonly desired: DesiredUpgrade;
  readonly simulated?: Partial<SimulationOptions>;
  readonly operator?: Operator;
  /** What happened before anybody asked for a plan. */
  readonly before?: (simulation: Simulation) => void;
}

const ordered = { podManagementPolicy: 'OrderedReady', updateStrategy: { type: 'RollingUpdate', partition: 0 } } as const;

/** Each is played anew by {@link rolloutOf}. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'rolling-3': { members: 3, kind: 'rolling', desired: desiredOf(REBUILT) },
  'rolling-5-ordered-ready': { members: 5, kind: 'rolling', desired: desiredOf(REBUILT), simulated: ordered },
  'lockstep-sequential-3': { members: 3, kind: 'lockstep-sequential', desired: desiredOf(BUMPED) },
  'lockstep-parallel-3': { members: 3, kind: 'lockstep-parallel', desired: desiredOf(NEWER) },
  'lockstep-sequential-5-ordered-ready': { members: 5, kind: 'lockstep-sequential', desired: desiredOf(NEWER), simulated: ordered },
  'lockstep-parallel-5-ordered-ready': { members: 5, kind: 'lockstep-parallel', desired: desiredOf(BUMPED), simulated: ordered },
  'template-probes-sequential': { members: 3, kind: 'lockstep-sequential', desired: desiredOf(BUMPED, { probes: 'template' }) },
  'template-probes-parallel-ordered-ready': {
    members: 3,
    kind: 'lockstep-parallel',
    desired: desiredOf(BUMPED, { probes: 'template', way: 'gitops' }),
    simulated: ordered,
  },
  'slow-rebuild': {
    members: 3,
    kind: 'rolling',
    desired: desiredOf(REBUILT),
    simulated: { displaced: ['lxd-2'], rebuilds: { 'lxd-2': { bytesPerSecond: 8 * MIB } } },
    operator: () => ({ command: 'skip', because: 'node-2 is cordoned for repair' }),
  },
  'cordoned-node': {
    members: 3,
    kind: 'rolling',
    desired: desiredOf(REBUILT),
    simulated: { cordoned: ['node-2'], rebuilds: { 'lxd-2': { bytesPerSecond: 64 * MIB } } },
  },
  'cordoned-node-parallel': {
    members: 3,
    kind: 'lockstep-parallel',
    desired: desiredOf(BUMPED),
    simulated: { cordoned: ['node-2'], rebuilds: { 'lxd-2': { bytesPerSecond: 64 * MIB } } },
  },
  'stuck-rebuild': {
    members: 3,
    kind: 'rolling',
    desired: desiredOf(REBUILT),
    simulated: { rebuilds: { 'lxd-2': { bytesPerSecond: 64 * MIB, stuckAtPercent: 99 } } },
    operator: (_step, simulation) => {
      simulation.mendRebuild('lxd-2');
      return { command: 'retry', because: 'the stuck replica is deleted' };
    },
  },
  'crash-loop-rolling': { members: 3, kind: 'rolling', desired: desiredOf(REBUILT), simulated: { crashing: [REBUILT.image] } },
  'crash-loop-lockstep': {
    members: 3,
    kind: 'lockstep-sequential',
    desired: desiredOf(NEWER),
    simulated: { ...ordered, crashing: [NEWER.image] },
  },
  'crash-loop-parallel': {
    members: 3,
    kind: 'lockstep-parallel',
    desired: desiredOf(NEWER),
    simulated: { ...ordered, crashing: [NEWER.image] },
  },
  'crash-loop-template-probes': {
    members: 3,
    kind: 'lockstep-parallel',
    desired: desiredOf(NEWER, { probes: 'template' }),
    simulated: { ...ordered, crashing: [NEWER.image] },
  },
  'abort-in-the-middle': {
    members: 5,
    kind: 'rolling',
    desired: desiredOf(REBUILT),
    simulated: { displaced: ['lxd-0'], rebuilds: { 'lxd-0': { bytesPerSecond: 64 * MIB } } },
  },
  'abort-with-one-recorded': {
    members: 3,
    kind: 'lockstep-sequential',
    desired: desiredOf(BUMPED, { deadlinesSeconds: { 'member-recorded': 5 } }),
    operator: ({ action }, simulation) => {
      if (action.do === 'wait-for-gate' && action.aim === 'before') return { command: 'retry', because: 'it takes its time' };
      for (let seconds = 0; seconds < 20; seconds += 1) simulation.tick();
      return { command: 'abort', because: 'it took too long' };
    },
  },
  'abort-too-late': {
    members: 3,
    kind: 'lockstep-sequential',
    desired: desiredOf(NEWER),
    simulated: { displaced: ['lxd-0'], rebuilds: { 'lxd-0': { bytesPerSecond: 64 * MIB } } },
  },
  evacuated: { members: 3, kind: 'rolling', desired: desiredOf(REBUILT, { instances: 'evacuate' }), simulated: { evacuated: ['lxd-0'] } },
  'blocked-before': {
    members: 3,
    kind: 'lockstep-sequential',
    desired: desiredOf(BUMPED),
    simulated: ordered,
    before: (simulation) => {
      simulation.apply({ do: 'patch-template', build: BUMPED, probes: PROBES, way: 'statefulset' });
      simulation.apply({ do: 'set-update-strategy', updateStrategy: { type: 'RollingUpdate', partition: 0 } });
      for (let seconds = 0; seconds < 60; seconds += 1) simulation.tick();
    },
  },
};

export function rolloutOf({ members, simulated, desired, kind, operator, before }: Scenario, seed: number): Rollout {
  const simulation = simulationOf(members, simulated);
  before?.(simulation);
  return { simulation, desired, kind, ...(operator ? { operator } : {}), shuffle: (observed) => shuffled(observed, seed) };
}

/** The same state, its lists in another order; 0 leaves it as it is. */
export function shuffled(observed: ObservedCluster, seed: number): ObservedCluster {
  if (seed === 0) return observed;
  const mix = <T>(items: readonly T[]): T[] => {
    const keyed = items.map((item, index) => ({ item, key: Math.imul(index + 1, 2_654_435_761 ^ seed) >>> 0 }));
    return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
  };
  return {
    ...observed,
    members: mix(observed.members),
    pods: mix(observed.pods).map((pod) => ({ ...pod, probes: mix(pod.probes) })),
    volumes: mix(observed.volumes).map((volume) => ({ ...volume, replicas: mix(volume.replicas) })),
    images: mix(observed.images),
    operations: mix(observed.operations),
  };
}
