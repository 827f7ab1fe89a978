import type { AimName } from './actions.js';
import type { DesiredUpgrade } from './desired.js';
import type { GateAim } from './gates.js';
import type { ObservedCluster, ObservedMember } from './observed.js';
import type { Ordering, PlannedMember } from './order.js';
import { ordered, placeText, podOf, whyReplace } from './order.js';
import type { PlanKind, Release } from './plan.js';
import { quorumOf } from './quorum.js';
import { buildText, byName, sameBuild, sortedByName } from './wording.js';

/** What is decided before the steps are written down. */
export interface Draft {
  readonly kind: PlanKind;
  readonly observed: ObservedCluster;
  readonly desired: DesiredUpgrade;
  readonly all: readonly string[];
  readonly replaced: readonly PlannedMember[];
  readonly kept: readonly PlannedMember[];
  readonly secondPass: readonly string[];
  readonly before: Release;
  readonly aims: Readonly<Record<AimName, GateAim>>;
  readonly ordering: Ordering;
  readonly quorum: 'kept' | 'lost-on-purpose' | 'no-margin';
  readonly irreplaceable: readonly string[];
  /** The template goes without probes for a while. */
  readonly withoutProbes: boolean;
  /** OrderedReady would never make the pods again: the StatefulSet has to be Parallel meanwhile. */
  readonly recreate: boolean;
  /** Deleted together, and made one after another all the same. */
  readonly oneByOne: boolean;
}

export function draftPlan(observed: ObservedCluster, desired: DesiredUpgrade, kind: PlanKind): Draft {
  const members = sortedByName(observed.members, ({ name }) => name);
  const withoutProbes = kind !== 'rolling' && desired.probes === 'template';
  const isReplaced = (member: ObservedMember) => needsReplacing(observed, desired, { member, withoutProbes });
  const toReplace = members.filter(isReplaced);
  const kept = members.filter((member) => !isReplaced(member));
  const isOrdered = observed.statefulSet.podManagementPolicy === 'OrderedReady';
  const recreate =
    isOrdered && kind !== 'rolling' && (blocksLater(observed, kept, toReplace) || (kind === 'lockstep-parallel' && !withoutProbes));
  const strictSequence = isOrdered && kind === 'lockstep-sequential' && !withoutProbes && !recreate;
  const ordering: Ordering = strictSequence ? 'highest-first' : 'leader-last';
  const irreplaceable = irreplaceableOf(members, toReplace);
  return {
    kind,
    observed,
    desired,
    all: members.map(({ name }) => name),
    replaced: ordered(toReplace, { leader: observed.leader, ordering, kept: desired.order }).map((member) => ({
      ...planned(observed, member),
      why: whyReplace(member, podOf(observed, member), desired) ?? 'runs without its probes',
      place: placeText(member, { leader: observed.leader, ordering }),
    })),
    kept: kept.map((member) => ({ ...planned(observed, member), why: 'already is what is wanted', place: 'stays' })),
    secondPass: withoutProbes ? secondPassOf(observed, desired, { toReplace, kept }) : [],
    before: beforeOf(observed, desired, toReplace),
    aims: aimsOf(observed, desired, toReplace),
    ordering,
    quorum: kind === 'lockstep-parallel' && toReplace.length > 1 ? 'lost-on-purpose' : irreplaceable.length > 0 ? 'no-margin' : 'kept',
    irreplaceable,
    withoutProbes,
    recreate,
    oneByOne: isOrdered && !recreate && kind === 'lockstep-parallel' && toReplace.length > 1,
  };
}

function needsReplacing(
  observed: ObservedCluster,
  desired: DesiredUpgrade,
  { member, withoutProbes }: { readonly member: ObservedMember; readonly withoutProbes: boolean },
): boolean {
  const pod = podOf(observed, member);
  if (whyReplace(member, pod, desired) !== undefined) return true;
  return !withoutProbes && desired.probeKinds.some((kind) => !pod?.probes.includes(kind));
}

function planned(observed: ObservedCluster, member: ObservedMember): Pick<PlannedMember, 'member' | 'pod' | 'node'> {
  const node = nodeOf(observed, member);
  return { member: member.name, pod: member.pod, ...(node === undefined ? {} : { node }) };
}

/** Where the member's data is: the engine's node, else that of its pod. */
export function nodeOf(observed: ObservedCluster, member: ObservedMember): string | undefined {
  const volume = sortedByName(observed.volumes, ({ name }) => name).find((one) => one.member === member.name);
  return podOf(observed, member)?.node ?? volume?.engine?.node;
}

/** A pod that stays, is not ready and comes before one that is deleted: OrderedReady would not make that one again. */
function blocksLater(observed: ObservedCluster, kept: readonly ObservedMember[], replaced: readonly ObservedMember[]): boolean {
  return kept.some((member) => podOf(observed, member)?.ready !== 'yes' && replaced.some(({ pod }) => byName(member.pod, pod) < 0));
}

function secondPassOf(
  observed: ObservedCluster,
  { probeKinds, order }: DesiredUpgrade,
  { toReplace, kept }: { readonly toReplace: readonly ObservedMember[]; readonly kept: readonly ObservedMember[] },
): string[] {
  const bare = kept.filter((member) => probeKinds.some((kind) => !podOf(observed, member)?.probes.includes(kind)));
  return ordered([...toReplace, ...bare], { leader: observed.leader, ordering: 'leader-last', kept: order }).map(({ name }) => name);
}

/** Voters whose stop alone takes the majority away, as with one or two voters. */
function irreplaceableOf(members: readonly ObservedMember[], replaced: readonly ObservedMember[]): string[] {
  const { voters, majority } = quorumOf(members);
  return voters - 1 >= majority ? [] : replaced.filter(({ database }) => database === 'voter').map(({ name }) => name);
}

/** What most of the pods to be replaced run now: there the way back leads. */
function beforeOf(observed: ObservedCluster, desired: DesiredUpgrade, toReplace: readonly ObservedMember[]): Release {
  const releases = sortedByName(toReplace, ({ name }) => name).flatMap((member): Release[] => {
    const build = podOf(observed, member)?.build;
    return build && !sameBuild(build, desired.build) ? [{ build, versions: member.versions }] : [];
  });
  const frequency = ({ build }: Release) => releases.filter((other) => sameBuild(other.build, build)).length;
  const [most] = [...releases].sort((a, b) => frequency(b) - frequency(a) || byName(buildText(a.build), buildText(b.build)));
  return most ?? { build: desired.build, versions: desired.target.versions };
}

/** Its node takes no pods: the next one comes up elsewhere, if anywhere. */
export function leavesNode(observed: ObservedCluster, member: ObservedMember): boolean {
  const node = nodeOf(observed, member);
  return node !== undefined && observed.cordoned.includes(node);
}

function aimsOf(observed: ObservedCluster, desired: DesiredUpgrade, toReplace: readonly ObservedMember[]): Draft['aims'] {
  const { build, target, probeKinds, stuckSeconds } = desired;
  const nodes = Object.fromEntries(
    sortedByName(observed.members, ({ name }) => name).flatMap((member) => {
      const node = nodeOf(observed, member);
      return node === undefined || leavesNode(observed, member) ? [] : [[member.name, node] as const];
    }),
  );
  const aim: GateAim = { build, versions: target.versions, probes: [...probeKinds].sort(), nodes, stuckSeconds };
  return { before: { ...aim, ...beforeOf(observed, desired, toReplace) }, target: aim, 'target-without-probes': { ...aim, probes: [] } };
}
