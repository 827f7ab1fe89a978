import { waitText } from '../upgrade/actions.js';
import { counted, listed } from '../upgrade/wording.js';
import { type DesiredScale, type ObservedScale, SCALE_DEADLINES_SECONDS, type ScaleGateName } from './observed.js';

/** What is done, each so that doing it again changes nothing more. */
export type ScaleAction =
  | {
      readonly do: 'wait-for-gate';
      readonly gate: ScaleGateName;
      readonly members: readonly string[];
      readonly deadlineSeconds: number;
      /** It has to pass for so long without a break. */
      readonly settleSeconds: number;
    }
  /** Databases and manifests, kept outside the members. */
  | { readonly do: 'save-copies'; readonly members: readonly string[] }
  | { readonly do: 'set-replicas'; readonly replicas: number }
  | { readonly do: 'evacuate-member' | 'restore-member'; readonly member: string }
  /** By force, since its pod is gone; nothing was on it by then. */
  | { readonly do: 'remove-member'; readonly member: string }
  | { readonly do: 'delete-claims'; readonly member: string; readonly claims: readonly string[] };

export interface ScaleStep {
  /** Stable within the plan: `07-remove-member`. */
  readonly id: string;
  readonly action: ScaleAction;
  /** The action as a sentence without its end. */
  readonly text: string;
  readonly reason: string;
  /** Whether it may stand still before this step: not while a member has no pod. */
  readonly pause: 'allowed' | 'not-here';
}

export interface ScaleDraft {
  readonly observed: ObservedScale;
  readonly desired: DesiredScale;
  /** All members there are, by their numbers. */
  readonly present: readonly string[];
  /** In the order in which they come or go. */
  readonly coming: readonly string[];
  readonly going: readonly string[];
  /** Those of {@link going} that are away, and given up. */
  readonly lost: readonly string[];
}

type ScaleStepDraft = Pick<ScaleStep, 'action' | 'reason'> & Partial<Pick<ScaleStep, 'pause'>>;

export function scaleSteps(draft: ScaleDraft): ScaleStep[] {
  const { present, coming, going } = draft;
  const stays = present.filter((member) => !going.includes(member));
  return numberedScale([
    ...preflight(draft).map(({ gate, members }) => waitScale(draft, gate, members, 'before anything is changed')),
    { action: { do: 'save-copies', members: there(draft) }, reason: 'LXD makes no copy of its own in a cluster' },
    ...coming.flatMap((member, at) => joining(draft, member, present.length + at + 1)),
    ...going.flatMap((member, at) => leaving(draft, member, present.length - at - 1)),
    waitScale(draft, 'members-online', [...stays, ...coming], 'the cluster as it was asked for'),
    waitScale(draft, 'quorum-margin', [], 'dqlite has given the roles to those there are'),
  ]);
}

export function numberedScale(steps: readonly ScaleStepDraft[]): ScaleStep[] {
  const width = String(steps.length).length;
  return steps.map(({ action, reason, pause = 'allowed' }, index) => ({
    id: `${String(index + 1).padStart(width, '0')}-${action.do === 'wait-for-gate' ? action.gate : action.do}`,
    action,
    text: scaleActionText(action),
    reason,
    pause,
  }));
}

/** Members that are there and not given up. */
function there({ present, lost }: Pick<ScaleDraft, 'present' | 'lost'>): string[] {
  return present.filter((member) => !lost.includes(member));
}

/** The gates that have to pass before anything is changed. */
export function preflight(draft: ScaleDraft) {
  const members = there(draft);
  const settled = draft.observed.cluster.storage === 'longhorn' ? [{ gate: 'volumes-settled' as const, members }] : [];
  return [
    { gate: 'no-other-operation' as const, members: [] },
    { gate: 'members-online' as const, members },
    { gate: 'quorum-margin' as const, members: [] },
    ...settled,
  ];
}

/** One after the other: each joins a cluster that is whole. */
function joining(draft: ScaleDraft, member: string, replicas: number): ScaleStepDraft[] {
  return [
    { action: { do: 'set-replicas', replicas }, reason: `${member} is made, and asks the others to be let in` },
    waitScale(draft, 'member-joined', [member], 'before the next one'),
    ...(draft.observed.cluster.storage === 'longhorn' ? [waitScale(draft, 'volumes-settled', [member], 'its volume is new')] : []),
  ];
}

/**
 * One after the other, the highest number first, as the StatefulSet takes them. The pod goes before the member is taken out: one that is no
 * member and still runs would ask to be let in again.
 */
function leaving(draft: ScaleDraft, member: string, replicas: number): ScaleStepDraft[] {
  const { observed, desired, lost } = draft;
  const claims = observed.claims.filter((claim) => claim.member === member).map(({ name }) => name);
  const given = lost.includes(member);
  const together = (steps: readonly ScaleStepDraft[]) => steps.map((step) => ({ ...step, pause: 'not-here' as const }));
  return [
    waitScale(draft, 'quorum-margin', [member], `before ${member} goes`),
    ...(given
      ? []
      : [
          { action: { do: 'evacuate-member', member } as const, reason: 'its instances move to the others' },
          waitScale(draft, 'member-empty', [member], 'what is on it when it goes is lost'),
        ]),
    {
      action: { do: 'set-replicas', replicas },
      reason: given ? `nothing is started again as ${member}` : `the pod of ${member} ends in order, and hands its roles over`,
    },
    ...together([
      waitScale(draft, 'pod-gone', [member], 'a member that runs would ask to be let in again'),
      ...(given ? [] : [waitScale(draft, 'member-empty', [member], 'once more: nothing has come to it meanwhile')]),
      { action: { do: 'remove-member', member }, reason: 'the others need not wait for it any more' },
      waitScale(draft, 'member-removed', [member], 'its volume must not be needed'),
    ]),
    ...(desired.volumes === 'delete' && claims.length > 0
      ? [
          {
            action: { do: 'delete-claims', member, claims } as const,
            reason: given ? 'as asked for; its data is given up' : 'as asked for; its data is on the other members',
          },
        ]
      : []),
  ];
}

export function waitScale(
  { desired }: Pick<ScaleDraft, 'desired'>,
  gate: ScaleGateName,
  members: readonly string[],
  reason: string,
): ScaleStepDraft {
  const deadlineSeconds = desired.deadlinesSeconds[gate] ?? SCALE_DEADLINES_SECONDS[gate];
  const settleSeconds = gate === 'volumes-settled' ? desired.settleSeconds : 0;
  return { action: { do: 'wait-for-gate', gate, members, deadlineSeconds, settleSeconds }, reason };
}

/** The action as a sentence without its end. */
export function scaleActionText(action: ScaleAction): string {
  switch (action.do) {
    case 'wait-for-gate':
      return waitText(action);
    case 'save-copies':
      return `save the manifests and the database of ${listed(action.members)} outside the members`;
    case 'set-replicas':
      return `ask for ${counted(action.replicas, 'replica')}`;
    case 'evacuate-member':
      return `evacuate ${action.member}`;
    case 'restore-member':
      return `restore ${action.member}`;
    case 'remove-member':
      return `take ${action.member} out of the cluster`;
    case 'delete-claims':
      return `delete ${action.claims.length === 1 ? 'the claim' : 'the claims'} ${listed(action.claims)}`;
  }
}
