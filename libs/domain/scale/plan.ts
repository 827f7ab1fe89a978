import { createHash } from 'node:crypto';
import { canonicalJson } from '../upgrade/essence.js';
import type { GateOutcome } from '../upgrade/gates.js';
import { quorumOf, quorumText } from '../upgrade/quorum.js';
import { counted, listed } from '../upgrade/wording.js';
import { readScaleGate, type ScaleGateCall } from './gates.js';
import { type DesiredScale, type ObservedScale, ordinalOf } from './observed.js';
import { preflight, type ScaleDraft, type ScaleStep, scaleSteps } from './steps.js';

/** Something that an approver has to read. */
export interface ScaleWarning {
  readonly code:
    | 'instances-move'
    | 'instances-lost'
    | 'leader-goes'
    | 'no-quorum-margin'
    | 'volumes-deleted'
    | 'volumes-kept'
    | 'storage-unwatched';
  readonly text: string;
}

export interface ScaleRefusal {
  readonly code: 'no-members' | 'below-one' | 'not-in-order' | 'quorum-lost' | 'no-room' | 'volume-left-behind' | 'member-away';
  readonly reason: string;
  readonly remedy: string;
}

/** Everything that an admin approves. Plain JSON. */
export interface ScalePlan {
  readonly cluster: string;
  readonly statefulSet: string;
  readonly kind: 'grow' | 'shrink';
  readonly from: number;
  readonly to: number;
  /** In this order. */
  readonly coming: readonly string[];
  readonly going: readonly string[];
  /** Of those that go, the ones that are away and given up. */
  readonly lost: readonly string[];
  readonly volumes: DesiredScale['volumes'];
  readonly warnings: readonly ScaleWarning[];
  /** What the gates before the first change say now. */
  readonly preflight: readonly { readonly call: ScaleGateCall; readonly outcome: GateOutcome }[];
  readonly steps: readonly ScaleStep[];
  /** SHA-256 over what is done, to whom and with which warnings; sentences and what moves by itself left out. */
  readonly hash: string;
}

export type PlannedScale =
  | { readonly is: 'plan'; readonly plan: ScalePlan }
  | { readonly is: 'nothing-to-do'; readonly because: string }
  | { readonly is: 'refused'; readonly refusals: readonly ScaleRefusal[] };

/** The plan by which a cluster comes to a number of members, one after the other. Pure: the same state in any order gives the same plan. */
export function planScale(observed: ObservedScale, desired: DesiredScale): PlannedScale {
  const { statefulSet } = observed.cluster;
  const present = [...observed.cluster.members].map(({ name }) => name).sort(byNumber(statefulSet.name));
  const named = (from: number, to: number) => Array.from({ length: Math.max(to - from, 0) }, (_, at) => `${statefulSet.name}-${from + at}`);
  const coming = named(present.length, desired.replicas);
  const going = named(desired.replicas, present.length).reverse();
  const away = going.filter((name) => isAway(observed, name));
  const draft: ScaleDraft = { observed, desired, present, coming, going, lost: desired.lost === 'given-up' ? away : [] };
  const refusals = refusalsOf(draft, away);
  if (refusals.length > 0) return { is: 'refused', refusals };
  if (coming.length === 0 && going.length === 0) {
    return { is: 'nothing-to-do', because: `There are ${counted(present.length, 'member')}: ${listed(present)}.` };
  }
  return { is: 'plan', plan: planOf(draft) };
}

function isAway({ cluster }: ObservedScale, name: string): boolean {
  const member = cluster.members.find((one) => one.name === name);
  return member?.status === 'Offline' || member?.answers === 'silent';
}

function planOf(draft: ScaleDraft): ScalePlan {
  const { observed, desired, present, coming, going, lost } = draft;
  const plan: Omit<ScalePlan, 'hash'> = {
    cluster: observed.cluster.name,
    statefulSet: observed.cluster.statefulSet.name,
    kind: going.length > 0 ? 'shrink' : 'grow',
    from: present.length,
    to: desired.replicas,
    coming,
    going,
    lost,
    volumes: desired.volumes,
    warnings: warningsOf(draft),
    preflight: preflight(draft).map((call) => ({ call, outcome: readScaleGate(call, observed, desired.stuckSeconds) })),
    steps: scaleSteps(draft),
  };
  return { ...plan, hash: hashOf(plan) };
}

function hashOf({ preflight: _moves, warnings, steps, ...rest }: Omit<ScalePlan, 'hash'>): string {
  const essence = { ...rest, warnings: warnings.map(({ code }) => code), steps: steps.map(({ id, action }) => ({ id, action })) };
  return createHash('sha256').update(canonicalJson(essence)).digest('hex');
}

function refusalsOf({ observed, desired, present, coming }: ScaleDraft, away: readonly string[]): ScaleRefusal[] {
  const { cluster, claims, freeNodes } = observed;
  const { name, replicas } = cluster.statefulSet;
  const quorum = quorumOf(cluster.members);
  const outOfOrder = present.filter((member, at) => ordinalOf(name, member) !== at);
  // Of a pod that is there its volume is its own.
  const left = claims
    .filter(({ member }) => coming.includes(member) && (ordinalOf(name, member) ?? 0) >= replicas)
    .map((claim) => claim.name);
  const refusals: (ScaleRefusal | false)[] = [
    present.length === 0 && { code: 'no-members', reason: 'LXD lists no member.', remedy: 'See why the cluster does not answer.' },
    desired.replicas < 1 && {
      code: 'below-one',
      reason: 'A cluster has at least one member.',
      remedy: 'To take all of it away, uninstall it; volumes stay.',
    },
    (outOfOrder.length > 0 || replicas !== present.length) &&
      present.length > 0 && {
        code: 'not-in-order',
        reason: `The StatefulSet ${name} asks for ${counted(replicas, 'replica')}, and the members are ${listed(present)}.`,
        remedy: 'Take members out that have no pod, and let pods join that are no members; the pods say at /state what they wait for.',
      },
    present.length > 0 &&
      quorum.online < quorum.majority && {
        code: 'quorum-lost',
        reason: `Quorum is lost: ${quorumText(quorum)}.`,
        remedy: 'Start the missing members again; if they are gone for good: lxd cluster recover-from-quorum-loss.',
      },
    away.length > 0 &&
      desired.lost === 'refused' && {
        code: 'member-away',
        reason: `${listed(away)} ${away.length === 1 ? 'is' : 'are'} away: its instances cannot move.`,
        remedy: 'Start it again; when it is lost for good, ask with lost: given-up.',
      },
    freeNodes !== 'any' &&
      freeNodes < coming.length && {
        code: 'no-room',
        reason: `${counted(coming.length, 'node')} without a member would be needed, and there ${freeNodes === 1 ? 'is' : 'are'} ${freeNodes}.`,
        remedy: 'Add nodes, uncordon some, or ask for fewer members.',
      },
    left.length > 0 && {
      code: 'volume-left-behind',
      reason: `The LXD on ${listed(left)} was in a cluster that does not know it any more.`,
      remedy: `When nothing on it is needed: kubectl delete persistentvolumeclaim ${left.join(' ')}.`,
    },
  ];
  return refusals.filter((refusal) => refusal !== false);
}

function warningsOf({ observed, desired, going, coming, present, lost }: ScaleDraft): ScaleWarning[] {
  const { cluster, instances, others, claims } = observed;
  const moving = going.filter((member) => !lost.includes(member)).reduce((sum, member) => sum + (instances[member] ?? []).length, 0);
  const given = lost.flatMap((member) => [...(instances[member] ?? []), ...(others[member] ?? [])]);
  const volumes = claims.filter(({ member }) => going.includes(member)).map(({ name }) => name);
  const after = present.length + coming.length - going.length;
  const warnings: (ScaleWarning | false)[] = [
    moving > 0 && {
      code: 'instances-move',
      text: `${counted(moving, 'instance')} of ${listed(going.filter((member) => !lost.includes(member)))} are stopped, moved and started again; those that come need room on the others.`,
    },
    lost.length > 0 && {
      code: 'instances-lost',
      text: `${listed(lost)} ${lost.length === 1 ? 'is' : 'are'} given up with all that nobody else has: ${given.length === 0 ? 'nothing' : listed(given)}.`,
    },
    cluster.leader !== undefined &&
      going.includes(cluster.leader) && { code: 'leader-goes', text: `${cluster.leader} leads dqlite: one election.` },
    after < 3 && {
      code: 'no-quorum-margin',
      text: `With ${counted(after, 'member')} the database is away whenever ${after === 1 ? 'it' : 'one of them'} is.`,
    },
    volumes.length > 0 &&
      (desired.volumes === 'delete'
        ? { code: 'volumes-deleted', text: `${listed(volumes)} are deleted, each when its member is no member any more.` }
        : { code: 'volumes-kept', text: `${listed(volumes)} stay, and have to be deleted before the cluster grows again.` }),
    cluster.storage === 'unwatched' && { code: 'storage-unwatched', text: 'No gate looks at the storage of this cluster.' },
  ];
  return warnings.filter((warning) => warning !== false);
}

export function byNumber(statefulSet: string): (a: string, b: string) => number {
  const number = (member: string) => ordinalOf(statefulSet, member) ?? Number.MAX_SAFE_INTEGER;
  return (a, b) => number(a) - number(b) || (a < b ? -1 : 1);
}
