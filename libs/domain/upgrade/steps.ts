import { type AimName, actionText, type PlannedStep, type UpgradeAction } from './actions.js';
import { DEADLINES_SECONDS, MERGE_SECONDS } from './desired.js';
import type { GateCall, GateName } from './gates.js';
import type { PlannedMember } from './order.js';
import type { Draft } from './replacing.js';
import { compareVersions } from './versions.js';
import { counted } from './wording.js';

export type StepDraft = Omit<PlannedStep, 'id' | 'text' | 'pause'> & { readonly pause?: PlannedStep['pause'] };

/** The Lease that members' probe endpoints read. */
export function probeLeaseOf(statefulSet: string): string {
  return `${statefulSet}-upgrade`;
}

export function numbered(drafts: readonly StepDraft[]): PlannedStep[] {
  const width = String(drafts.length).length;
  return drafts.map(({ pause = 'allowed', ...step }, index) => ({
    id: `${String(index + 1).padStart(width, '0')}-${step.action.do === 'wait-for-gate' ? step.action.gate : step.action.do}`,
    ...step,
    text: actionText(step.action),
    pause,
  }));
}

/** The gates that have to pass before anything is changed. */
export function preflightGates({ observed, kind, all, replaced, desired }: Draft): GateCall[] {
  const serving = observed.members.filter(({ answers }) => answers !== 'waiting').map(({ name }) => name);
  const agreed = observed.members.every(({ versions }) => compareVersions(versions, desired.target.versions) === 'equal');
  return [
    { gate: 'no-other-operation', members: [] },
    { gate: 'members-online', members: all.filter((name) => serving.includes(name)) },
    { gate: 'quorum-margin', members: [] },
    ...(kind === 'rolling' && agreed ? [{ gate: 'agreement' as const, members: all }] : []),
    ...(observed.storage === 'longhorn' ? [{ gate: 'volumes-settled' as const, members: all }] : []),
    { gate: 'images-present', members: replaced.map(({ member }) => member) },
  ];
}

export function stepsOf(draft: Draft): PlannedStep[] {
  const { observed, desired, all } = draft;
  const { statefulSet } = observed;
  const lease = probeLeaseOf(statefulSet.name);
  return numbered([
    ...preflightGates(draft).map(({ gate, members }) => wait(draft, gate, members, 'before anything is changed')),
    { action: { do: 'save-copies', members: all }, reason: 'LXD makes no copy of its database in a cluster' },
    ...templateSteps(draft, draft.withoutProbes ? 'target-without-probes' : 'target'),
    ...(desired.probes === 'lease'
      ? [{ action: { do: 'take-probe-lease', lease } as const, reason: 'from now on probes are lenient until it is released or expires' }]
      : []),
    ...(draft.kind === 'rolling' ? draft.replaced.flatMap((member) => rollingSteps(draft, member)) : lockstepSteps(draft)),
    ...secondPassSteps(draft),
    ...(desired.probes === 'lease'
      ? [{ action: { do: 'release-probe-lease', lease } as const, reason: 'all members serve and agree: probes are strict again' }]
      : []),
    ...lastGates(draft),
    ...(draft.recreate ? [recreated(statefulSet.podManagementPolicy, 'as it was found')] : []),
    ...(statefulSet.updateStrategy.type === 'OnDelete'
      ? []
      : [
          {
            action: { do: 'set-update-strategy', updateStrategy: statefulSet.updateStrategy } as const,
            reason: 'as it was found; every pod has the template by now',
          },
        ]),
    wait(draft, 'probes-in-pods', all, 'judged on the running pods'),
  ]);
}

export function wait(
  { desired }: Pick<Draft, 'desired'>,
  gate: GateName,
  members: readonly string[],
  reason: string,
  { aim = 'target', pause = 'allowed' }: { readonly aim?: AimName; readonly pause?: PlannedStep['pause'] } = {},
): StepDraft {
  const deadlineSeconds = desired.deadlinesSeconds[gate] ?? defaultDeadline(desired, gate);
  const settleSeconds = gate === 'volumes-settled' ? desired.settleSeconds : 0;
  return { action: { do: 'wait-for-gate', gate, members, aim, deadlineSeconds, settleSeconds }, reason, pause };
}

function defaultDeadline({ way }: Draft['desired'], gate: GateName): number {
  return gate === 'template-shown' && way === 'gitops' ? MERGE_SECONDS : DEADLINES_SECONDS[gate];
}

function templateSteps(draft: Draft, aim: AimName): StepDraft[] {
  const { build, probes } = draft.aims[aim];
  const why =
    aim === 'target'
      ? 'pods keep running; what is deleted from now on comes back with it'
      : 'without probes a waiting member is neither killed nor in the way of the next';
  return [
    { action: { do: 'patch-template', build, probes, way: draft.desired.way }, reason: why },
    wait(draft, 'template-shown', [], 'the cluster has to show it before a pod is deleted', { aim }),
  ];
}

function rollingSteps(draft: Draft, { member, pod, why, place }: PlannedMember): StepDraft[] {
  const evacuates =
    draft.desired.instances === 'evacuate' && draft.observed.members.some(({ name, status }) => name === member && status !== 'Evacuated');
  return [
    wait(draft, 'quorum-margin', [member], `before ${member} is stopped`),
    ...(evacuates ? [{ action: { do: 'evacuate-member', member } as const, reason: 'its instances move away, as asked for' }] : []),
    { action: { do: 'delete-pods', pods: [pod], members: [member] }, reason: `${member} ${why}; ${place}` },
    ...betweenMembers(draft, member),
    ...(evacuates ? [{ action: { do: 'restore-member', member } as const, reason: 'its instances come back' }] : []),
  ];
}

function betweenMembers(draft: Draft, member: string): StepDraft[] {
  const { all, observed } = draft;
  return [
    wait(draft, 'pods-on-nodes', [member], 'its data is on that node'),
    wait(draft, 'members-online', all, 'never two members down'),
    wait(draft, 'agreement', all, 'before the next member'),
    ...(observed.storage === 'longhorn'
      ? [wait(draft, 'volumes-settled', all, 'the next stop must not take the last good copy, and I/O must be local again')]
      : []),
  ];
}

function lockstepSteps(draft: Draft): StepDraft[] {
  const { kind, all, replaced, recreate, withoutProbes } = draft;
  const aim: AimName = withoutProbes ? 'target-without-probes' : 'target';
  const none = { aim, pause: 'not-here' } as const;
  const names = replaced.map(({ member }) => member);
  const pods = replaced.map(({ pod }) => pod);
  const oneByOne = replaced.flatMap(({ member, pod, why, place }, index): StepDraft[] => [
    wait(draft, 'quorum-margin', [member], `before ${member} is stopped`, index === 0 ? { aim } : none),
    {
      action: { do: 'delete-pods', pods: [pod], members: [member] },
      reason: `${member} ${why}; ${place}`,
      ...(index === 0 ? {} : { pause: 'not-here' }),
    },
    wait(draft, 'member-recorded', [member], 'not ready, which it cannot be, but started: dqlite has its vote again', none),
  ]);
  const together: StepDraft = {
    action: { do: 'delete-pods', pods, members: names },
    reason: `${counted(pods.length, 'pod')} at once: the API is away for one restart, not for ${pods.length}`,
  };
  return [
    ...(recreate
      ? [recreated('Parallel', 'under OrderedReady a pod is made only when all before it are ready, and none gets ready alone')]
      : []),
    ...(kind === 'lockstep-parallel' ? [together] : oneByOne),
    wait(draft, 'agreement', all, 'the last record lets all go on', none),
    wait(draft, 'members-online', all, 'the API is back', none),
    wait(draft, 'pods-on-nodes', all, 'their data is on these nodes', { aim }),
  ];
}

/** Pods made without probes have none until they are replaced: once more, one by one, now that all versions agree. */
function secondPassSteps(draft: Draft): StepDraft[] {
  const { secondPass, observed } = draft;
  if (!draft.withoutProbes) return [];
  const podOf = (member: string) => observed.members.find(({ name }) => name === member)?.pod ?? member;
  return [
    ...(observed.storage === 'longhorn' ? [wait(draft, 'volumes-settled', draft.all, 'before the second pass')] : []),
    ...templateSteps(draft, 'target'),
    ...secondPass.flatMap((member) => [
      wait(draft, 'quorum-margin', [member], `before ${member} is stopped`),
      {
        action: { do: 'delete-pods', pods: [podOf(member)], members: [member] } as const,
        reason: `second pass: ${member} gets its probes back`,
      },
      ...betweenMembers(draft, member),
    ]),
  ];
}

function lastGates(draft: Draft): StepDraft[] {
  const { all, observed, kind, withoutProbes } = draft;
  if (kind === 'rolling' || withoutProbes || observed.storage !== 'longhorn') return [];
  return [wait(draft, 'volumes-settled', all, 'only now: between the members the outage would be the sum of the rebuilds')];
}

function recreated(podManagementPolicy: 'OrderedReady' | 'Parallel', reason: string): StepDraft {
  const action: UpgradeAction = { do: 'recreate-statefulset', podManagementPolicy };
  return { action, reason };
}
