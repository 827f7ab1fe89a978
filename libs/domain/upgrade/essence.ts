import { createHash } from 'node:crypto';
import type { UpgradePlan } from './plan.js';

/** Of a plan, what an approver must know; sentences and what moves by itself (instances, progress, a gate that only waits) left out. */
export function essenceOf(plan: Omit<UpgradePlan, 'hash'>) {
  const places = plan.replaced.map(({ member, pod, node }) => ({ member, pod, node }));
  return {
    cluster: plan.cluster,
    statefulSet: plan.statefulSet,
    kind: plan.kind,
    before: plan.before,
    target: plan.target,
    members: plan.found.members,
    leader: plan.found.leader,
    podManagementPolicy: plan.found.podManagementPolicy,
    updateStrategy: plan.found.updateStrategy,
    order: places,
    kept: plan.kept.map(({ member }) => member),
    secondPass: plan.secondPass,
    quorum: plan.quorum,
    probes: { way: plan.probes, kinds: plan.aims.target.probes },
    instances: plan.instances,
    outage: plan.outage,
    warnings: plan.warnings.map(({ code }) => code),
    failedGates: plan.preflight.filter(({ outcome }) => outcome.is === 'failed').map(({ call }) => call.gate),
    pointOfNoReturn: plan.pointOfNoReturn?.step,
    nodes: plan.aims.target.nodes,
    stuckSeconds: plan.aims.target.stuckSeconds,
    steps: plan.steps.map(({ id, action, pause }) => ({ id, action, pause })),
  };
}

export type Essence = ReturnType<typeof essenceOf>;

export function hashOf(plan: Omit<UpgradePlan, 'hash'>): string {
  return createHash('sha256')
    .update(canonicalJson(essenceOf(plan)))
    .digest('hex');
}

/** JSON with the keys of every object in one order, and without what is undefined. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
