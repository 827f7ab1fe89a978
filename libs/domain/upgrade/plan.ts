import type { AimName, PlannedStep } from './actions.js';
import type { DesiredUpgrade } from './desired.js';
import { hashOf } from './essence.js';
import type { GateAim, GateCall, GateOutcome } from './gates.js';
import { readGate } from './gates.js';
import type { Refusal } from './mode.js';
import { chooseMode } from './mode.js';
import type { Build, ObservedCluster, ObservedMember, ObservedStatefulSet, Versions } from './observed.js';
import type { PlannedMember } from './order.js';
import { podOf, whyReplace } from './order.js';
import type { ExpectedOutage } from './outage.js';
import { expectedOutage } from './outage.js';
import type { PointOfNoReturn } from './point-of-no-return.js';
import { pointOfNoReturn } from './point-of-no-return.js';
import { type Draft, draftPlan } from './replacing.js';
import { preflightGates, stepsOf } from './steps.js';
import { type Warning, warningsOf } from './warnings.js';
import { listed, sameBuild, sortedByName } from './wording.js';

export type PlanKind = 'rolling' | 'lockstep-sequential' | 'lockstep-parallel';

export interface Release {
  readonly build: Build;
  readonly versions: Versions;
}

/** Everything that an admin approves. Plain JSON. */
export interface UpgradePlan {
  readonly kind: PlanKind;
  readonly cluster: string;
  readonly statefulSet: string;
  readonly why: string;
  readonly before: Release;
  readonly target: Release & { readonly serverVersion: string; readonly digest: string };
  /** As it was found. */
  readonly found: {
    readonly members: readonly Pick<ObservedMember, 'name' | 'architecture' | 'status' | 'versions' | 'database'>[];
    readonly leader?: string;
    readonly podManagementPolicy: ObservedStatefulSet['podManagementPolicy'];
    readonly updateStrategy: ObservedStatefulSet['updateStrategy'];
  };
  /** In this order. */
  readonly replaced: readonly PlannedMember[];
  readonly kept: readonly PlannedMember[];
  /** Replaced once more, one by one, so that their pods have probes again. */
  readonly secondPass: readonly string[];
  readonly quorum: 'kept' | 'lost-on-purpose' | 'no-margin';
  readonly probes: DesiredUpgrade['probes'];
  readonly instances: DesiredUpgrade['instances'];
  readonly outage: ExpectedOutage;
  readonly warnings: readonly Warning[];
  /** What the gates before the first change say now. */
  readonly preflight: readonly { readonly call: GateCall; readonly outcome: GateOutcome }[];
  readonly aims: Readonly<Record<AimName, GateAim>>;
  readonly steps: readonly PlannedStep[];
  readonly pointOfNoReturn?: PointOfNoReturn;
  readonly wayBack: string;
  /** SHA-256 over all of this that an approver must know; neither the order of observation nor numbers that move by themselves change it. */
  readonly hash: string;
}

export type Planned =
  | { readonly is: 'plans'; readonly plans: readonly UpgradePlan[] }
  | { readonly is: 'nothing-to-do'; readonly because: string }
  | { readonly is: 'refused'; readonly refusals: readonly Refusal[] };

/**
 * The plans by which a cluster comes to what is wanted: one when it can roll, two to choose from (sequential, parallel) in lockstep. Pure:
 * the same state in any order gives the same plans.
 */
export function planUpgrade(observed: ObservedCluster, desired: DesiredUpgrade): Planned {
  const mode = chooseMode(observed, desired);
  if (mode.is === 'refused') return mode;
  const done = observed.members.every((member) => whyReplace(member, podOf(observed, member), desired) === undefined);
  // A template that somebody has changed back under the pods would bring the old image back with the next of them.
  if (done && withProbes(observed, desired) && sameBuild(observed.statefulSet.template.build, desired.build)) {
    return { is: 'nothing-to-do', because: `All members run ${desired.build.image} with their probes and agree.` };
  }
  const kinds: readonly PlanKind[] = mode.is === 'rolling' ? ['rolling'] : ['lockstep-sequential', 'lockstep-parallel'];
  return { is: 'plans', plans: kinds.map((kind) => planOf(draftPlan(observed, desired, kind), mode.why)) };
}

function withProbes({ pods, statefulSet }: ObservedCluster, { probeKinds }: DesiredUpgrade): boolean {
  return [...pods, statefulSet.template].every(({ probes }) => probeKinds.every((kind) => probes.includes(kind)));
}

function planOf(draft: Draft, why: string): UpgradePlan {
  const { observed, desired, kind, aims, replaced, kept, secondPass } = draft;
  const { leader, statefulSet } = observed;
  const steps = stepsOf(draft);
  const point = pointOfNoReturn(draft, steps);
  const plan: Omit<UpgradePlan, 'hash'> = {
    kind,
    cluster: observed.name,
    statefulSet: statefulSet.name,
    why,
    before: draft.before,
    target: {
      build: desired.build,
      versions: desired.target.versions,
      serverVersion: desired.target.serverVersion,
      digest: desired.target.digest,
    },
    found: {
      members: sortedByName(observed.members, ({ name }) => name).map(({ name, architecture, status, versions, database }) => ({
        name,
        architecture,
        status,
        versions,
        database,
      })),
      ...(leader === undefined ? {} : { leader }),
      podManagementPolicy: statefulSet.podManagementPolicy,
      updateStrategy: statefulSet.updateStrategy,
    },
    replaced,
    kept,
    secondPass,
    quorum: draft.quorum,
    probes: desired.probes,
    instances: desired.instances,
    outage: outageOf(draft),
    warnings: warningsOf(draft),
    preflight: preflightGates(draft).map((call) => ({ call, outcome: readGate(call, observed, aims.target) })),
    aims,
    steps,
    ...(point ? { pointOfNoReturn: point } : {}),
    wayBack: wayBackText(draft, point),
  };
  return { ...plan, hash: hashOf(plan) };
}

function outageOf({ observed, desired, kind, replaced, all, secondPass, irreplaceable, oneByOne }: Draft): ExpectedOutage {
  const names = replaced.map(({ member }) => member);
  return expectedOutage({
    kind,
    replaced: names,
    others: all.filter((name) => !names.includes(name)),
    secondPass,
    evacuated: observed.members.filter(({ status }) => status === 'Evacuated').map(({ name }) => name),
    ...(observed.leader === undefined ? {} : { leader: observed.leader }),
    irreplaceable,
    instances: desired.instances,
    creation: oneByOne ? 'one-by-one' : 'together',
    timings: desired.timings,
  });
}

function wayBackText({ before, all }: Draft, point: PointOfNoReturn | undefined): string {
  const how = `the template gets ${before.build.image} again, the pods of ${listed(all)} that run another build are deleted, and the same gates are waited for`;
  if (!point) return `At any step: ${how}.`;
  return `Before step ${point.step}: ${how}. From there on only the copies saved at the beginning bring the old state back, by hand.`;
}
