import { clusterLockOf, type UpgradeReport, type UpgradeView } from '#libs/contracts/upgrades.js';
import { actionText } from '#libs/domain/upgrade/actions.js';
import { desiredOf, NEWER, REBUILT, simulationOf } from '#libs/domain/upgrade/narrations/scenarios.js';
import { planUpgrade, type UpgradePlan } from '#libs/domain/upgrade/plan.js';

export const UPGRADE_ID = `upgrade:${clusterLockOf('lab')}:0190aaaa-0000-7000-8000-000000000003`;
const ROOT = { subject: '1', username: 'root' };

/** A real plan of a cluster of three. */
export function examplePlan(kind: UpgradePlan['kind'] = 'rolling'): UpgradePlan {
  const planned = planUpgrade(simulationOf(3).observe(), desiredOf(kind === 'rolling' ? REBUILT : NEWER));
  const plan = planned.is === 'plans' ? planned.plans.find((one) => one.kind === kind) : undefined;
  if (!plan) throw new Error(`the example has no ${kind} plan`);
  return plan;
}

/** An upgrade that waits for its first volumes, as its workflow tells. */
export function exampleView(plan = examplePlan()): UpgradeView {
  const [first, second] = plan.steps;
  const started = '2026-03-01T10:00:05.000Z';
  return {
    cluster: 'lab',
    operationId: '0190aaaa-0000-7000-8000-000000000003',
    request: { image: plan.target.build.image },
    phase: 'running',
    plans: [plan],
    approvedHash: plan.hash,
    differences: [],
    refusals: [],
    steps: plan.steps.map((step) => ({
      step,
      text: actionText(step.action),
      way: 'forth',
      ...(step === first
        ? {
            state: 'done',
            startedAt: started,
            endedAt: '2026-03-01T10:00:07.000Z',
            readings: 1,
            outcome: { is: 'passed', because: 'Free.' },
          }
        : step === second
          ? { state: 'running', startedAt: started }
          : { state: 'planned' }),
    })),
    wait: {
      for: 'members-online: lxd-0 is Offline.',
      since: started,
      deadline: '2026-03-01T11:00:05.000Z',
      updates: [{ name: 'pause', argument: '{"by": {}}', who: 'any admin' }],
    },
    table: [],
    audit: [
      { at: '2026-03-01T10:00:00.000Z', by: ROOT, did: 'requested', about: plan.target.build.image },
      { at: '2026-03-01T10:00:04.000Z', by: { subject: '13', username: 'bob' }, did: 'approve', about: `${plan.kind} ${plan.hash}` },
    ],
    startedAt: '2026-03-01T10:00:00.000Z',
  };
}

/** The same at its end. */
export function exampleReport(changes: Partial<UpgradeReport> = {}): UpgradeReport {
  const { wait: _wait, ...view } = exampleView();
  const steps = view.steps.map((step) => ({
    ...step,
    state: 'done' as const,
    startedAt: '2026-03-01T10:00:05.000Z',
    endedAt: '2026-03-01T10:02:05.000Z',
    ...(step.step.action.do === 'save-copies' ? { result: '7 files in /copies/lab/1' } : {}),
    ...(step.step.action.do === 'wait-for-gate'
      ? { outcome: { is: 'passed' as const, because: `Seen at ${step.step.id}.` }, readings: 4 }
      : {}),
  }));
  return {
    ...view,
    phase: 'finished',
    steps,
    endedAt: '2026-03-01T10:12:00.000Z',
    members: [
      {
        member: 'lxd-0',
        expectedSeconds: 20,
        away: [{ from: '2026-03-01T10:03:00.000Z', until: '2026-03-01T10:03:17.500Z', seconds: 17.5 }],
      },
      { member: 'lxd-1', expectedSeconds: 20, away: [{ from: '2026-03-01T10:05:00.000Z' }] },
    ],
    summary: 'All members run the new image.',
    ...changes,
  };
}
