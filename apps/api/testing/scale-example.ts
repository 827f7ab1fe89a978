import type { ScaleView } from '#libs/contracts/scalings.js';
import { clusterLockOf } from '#libs/contracts/upgrades.js';
import { planScale, type ScalePlan } from '#libs/domain/scale/plan.js';
import { ScaleWorld } from '#libs/testing/scale-world.js';

export const SCALE_ID = `scale:${clusterLockOf('lab')}:0190aaaa-0000-7000-8000-000000000004`;
const ROOT = { subject: '1', username: 'root' };

/** A real plan of a cluster of three that becomes one of two. */
export function exampleScalePlan(): ScalePlan {
  const wanted = { replicas: 2, volumes: 'delete', lost: 'refused', deadlinesSeconds: {}, settleSeconds: 0, stuckSeconds: 600 } as const;
  const planned = planScale(new ScaleWorld(3).observe(), wanted);
  if (planned.is !== 'plan') throw new Error('the example has no plan');
  return planned.plan;
}

/** A scaling that waits for its member to be empty, as its workflow tells. */
export function exampleScaleView(plan = exampleScalePlan()): ScaleView {
  const current = plan.steps.findIndex(({ action }) => action.do === 'wait-for-gate' && action.gate === 'member-empty');
  return {
    cluster: 'lab',
    operationId: '0190aaaa-0000-7000-8000-000000000004',
    request: { replicas: 2, volumes: 'delete' },
    phase: 'running',
    plans: [plan],
    approvedHash: plan.hash,
    differences: [],
    refusals: [],
    steps: plan.steps.map((step, at) => ({
      step,
      text: step.text,
      way: 'forth',
      state: at < current ? 'done' : at === current ? 'running' : 'planned',
    })),
    wait: {
      for: 'member-empty: On lxd-2: 1 instance: a-lxd-2.',
      since: '2026-03-01T10:00:05.000Z',
      deadline: '2026-03-01T12:00:05.000Z',
      updates: [{ name: 'pause', argument: '{"by": {}}', who: 'any admin' }],
    },
    table: [],
    audit: [{ at: '2026-03-01T10:00:00.000Z', by: ROOT, did: 'requested', about: '2 members' }],
    startedAt: '2026-03-01T10:00:00.000Z',
  };
}
