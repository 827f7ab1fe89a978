import type { PlannedStep } from './actions.js';
import type { DesiredUpgrade } from './desired.js';
import type { ObservedCluster, ObservedMember } from './observed.js';
import { podOf } from './order.js';
import type { UpgradePlan } from './plan.js';
import { numbered, probeLeaseOf, type StepDraft, wait } from './steps.js';
import { compareVersions } from './versions.js';
import { listed, sameBuild, sortedByName, versionsText } from './wording.js';

/** Once the cluster shows the old template, what is to be deleted is looked at anew: by a pull request that may be days later. */
export type BackStage = 'template' | 'members';

export type WayBack =
  /** `next`: the stage that follows these steps; none after the last. */
  | { readonly is: 'open'; readonly why: string; readonly steps: readonly PlannedStep[]; readonly next?: BackStage }
  | { readonly is: 'closed'; readonly reason: string; readonly remedy: string };

/**
 * How to undo what was done of a plan, by what is to be seen now: a way back that was itself cut short goes on like this too. First the template, then the
 * members: restoring the template is not enough, a pod that never got ready is replaced only when it is deleted (kubernetes/kubernetes#67250).
 */
export function planWayBack(plan: UpgradePlan, observed: ObservedCluster, desired: DesiredUpgrade, stage: BackStage): WayBack {
  const members = sortedByName(observed.members, ({ name }) => name);
  const ahead = members.filter(({ versions }) => compareVersions(versions, plan.before.versions) !== 'equal');
  const closed = closedBy(plan, observed, ahead);
  if (closed) return closed;
  if (stage === 'template') {
    const why = `First the template goes back to ${plan.before.build.image}; then the pods are looked at.`;
    return { is: 'open', why, steps: numbered(templateBack(plan, desired)), next: 'members' };
  }
  const toReplace = members.filter((member) => isOther(plan, observed, member));
  const down = toReplace.filter(({ answers }) => answers === 'silent');
  const up = toReplace.filter(({ answers }) => answers !== 'silent');
  const why =
    toReplace.length === 0
      ? `No pod is to be replaced.`
      : `${listed(toReplace.map(({ name }) => name))} back to ${plan.before.build.image}: what is down first, then one at a time.`;
  return { is: 'open', why, steps: numbered(stepsBack(plan, { observed, desired, members, down, up })) };
}

/** Whether it stops several members together, which one look is not enough for. */
export function takesSeveral(back: WayBack): boolean {
  return back.is === 'open' && back.steps.some(({ action }) => action.do === 'delete-pods' && action.pods.length > 1);
}

function closedBy({ before }: UpgradePlan, { members, alignment }: ObservedCluster, ahead: readonly ObservedMember[]): WayBack | undefined {
  const remedy = 'Go on to the end; or stop all members and restore the copies saved at the beginning, by the runbook.';
  const names = `${listed(ahead.map(({ name }) => name))} recorded other versions than ${versionsText(before.versions)}`;
  if (ahead.length === members.length && ahead.some(({ versions }) => versions.schema > before.versions.schema)) {
    return { is: 'closed', reason: `${names}: the database has the new schema, which never goes back.`, remedy };
  }
  if (ahead.length > 1 && alignment === 'upwards') {
    return {
      is: 'closed',
      reason: `${names}: the old LXD exits beside a member that is ahead, so none can be the first to go back.`,
      remedy,
    };
  }
  return undefined;
}

/** Not what it was, or without the probes that it had. */
function isOther({ before, aims }: UpgradePlan, observed: ObservedCluster, member: ObservedMember): boolean {
  const pod = podOf(observed, member);
  return !pod || !sameBuild(pod.build, before.build) || aims.before.probes.some((kind) => !pod.probes.includes(kind));
}

interface Back {
  readonly observed: ObservedCluster;
  readonly desired: DesiredUpgrade;
  readonly members: readonly ObservedMember[];
  /** Do not answer: deleting them all at once takes nothing away, and one alone may have no quorum. */
  readonly down: readonly ObservedMember[];
  readonly up: readonly ObservedMember[];
}

function templateBack({ before, aims }: UpgradePlan, desired: DesiredUpgrade): StepDraft[] {
  return [
    {
      action: { do: 'patch-template', build: before.build, probes: aims.before.probes, way: desired.way },
      reason: 'what is deleted from now on comes back as it was',
    },
    wait({ desired }, 'template-shown', [], 'the cluster has to show it before a pod is deleted', { aim: 'before' }),
  ];
}

function stepsBack(plan: UpgradePlan, { observed, desired, members, down, up }: Back): StepDraft[] {
  const all = members.map(({ name }) => name);
  const aim = 'before' as const;
  const volumes = (reason: string) => (observed.storage === 'longhorn' ? [wait({ desired }, 'volumes-settled', all, reason, { aim })] : []);
  const evacuated = plan.instances === 'evacuate' ? all.filter((name) => isEvacuatedByUs(plan, observed, name)) : [];
  const { podManagementPolicy, updateStrategy } = plan.found;
  const lease = probeLeaseOf(plan.statefulSet);
  // Of other versions than the old ones: whoever goes back first waits for the others.
  const waits = up.some(({ answers, versions }) => answers === 'waiting' || compareVersions(versions, plan.before.versions) !== 'equal');
  const recreate = down.length > 1 && observed.statefulSet.podManagementPolicy === 'OrderedReady';
  const deletion = (gone: readonly ObservedMember[]): StepDraft[] => {
    const names = gone.map(({ name }) => name);
    return [
      {
        action: { do: 'delete-pods', pods: gone.map(({ pod }) => pod), members: names },
        reason: 'under OnDelete a restored template alone replaces no pod, and under the others none that is not ready',
      },
      wait({ desired }, 'member-recorded', names, `the old LXD of ${listed(names)} has started`, { aim }),
    ];
  };
  const first: StepDraft[] = [
    ...(waits && plan.probes === 'lease'
      ? [{ action: { do: 'take-probe-lease', lease } as const, reason: 'members that wait for each other must not be ended for it' }]
      : []),
    ...(recreate
      ? [{ action: { do: 'recreate-statefulset', podManagementPolicy: 'Parallel' } as const, reason: 'none of several gets ready alone' }]
      : []),
    ...(down.length > 0 ? deletion(down) : []),
  ];
  return [
    // What was down when it was looked at may serve after a pause.
    ...first.map((step): StepDraft => (down.length > 1 ? { ...step, pause: 'not-here' } : step)),
    ...up.flatMap((member): StepDraft[] => [
      ...(waits ? [] : [wait({ desired }, 'members-online', all, 'never two members down', { aim }), ...volumes('before the next member')]),
      wait({ desired }, 'quorum-margin', [member.name], `before ${member.name} is stopped`, { aim }),
      ...deletion([member]),
    ]),
    wait({ desired }, 'agreement', all, 'all have the old versions', { aim }),
    wait({ desired }, 'members-online', all, 'all serve', { aim }),
    wait({ desired }, 'pods-on-nodes', all, 'each is the old one, where its data is', { aim }),
    ...evacuated.map((member): StepDraft => ({ action: { do: 'restore-member', member }, reason: 'its instances come back' })),
    ...volumes('copies and I/O as before'),
    ...(plan.probes === 'lease' ? [{ action: { do: 'release-probe-lease', lease } as const, reason: 'probes are strict again' }] : []),
    ...(observed.statefulSet.podManagementPolicy === podManagementPolicy && !recreate
      ? []
      : [{ action: { do: 'recreate-statefulset', podManagementPolicy } as const, reason: 'as it was found' }]),
    ...(updateStrategy.type === 'OnDelete'
      ? []
      : [{ action: { do: 'set-update-strategy', updateStrategy } as const, reason: 'as it was found' }]),
    wait({ desired }, 'probes-in-pods', all, 'judged on the running pods', { aim }),
  ];
}

function isEvacuatedByUs(plan: UpgradePlan, observed: ObservedCluster, name: string): boolean {
  const was = plan.found.members.find((member) => member.name === name)?.status;
  return was !== 'Evacuated' && observed.members.some((member) => member.name === name && member.status === 'Evacuated');
}
