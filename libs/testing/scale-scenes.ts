import type { DesiredScale, ObservedScale } from '#libs/domain/scale/observed.js';
import { planScale, type ScalePlan } from '#libs/domain/scale/plan.js';
import { simulationOf } from '#libs/domain/upgrade/narrations/scenarios.js';

/** The wish for so many members that keep their volumes; `more` is what is wanted otherwise. */
export const desired = (replicas: number, more: Partial<DesiredScale> = {}): DesiredScale => ({
  replicas,
  volumes: 'keep',
  lost: 'refused',
  deadlinesSeconds: {},
  settleSeconds: 30,
  stuckSeconds: 600,
  ...more,
});

/** A whole cluster, with two instances on each member and a claim of each. */
export function observed(members: number, more: Partial<ObservedScale> = {}): ObservedScale {
  const cluster = simulationOf(members).observe();
  const names = cluster.members.map(({ name }) => name);
  return {
    cluster,
    instances: Object.fromEntries(names.map((name) => [name, [`a-${name}`, `b-${name}`]])),
    others: {},
    claims: names.map((member) => ({ name: `state-${member}`, member })),
    freeNodes: 'any',
    ...more,
  };
}

/** The plan that there has to be. Throws what is there instead. */
export function plan(of: ObservedScale, wanted: DesiredScale): ScalePlan {
  const planned = planScale(of, wanted);
  if (planned.is !== 'plan') throw new Error(JSON.stringify(planned));
  return planned.plan;
}
