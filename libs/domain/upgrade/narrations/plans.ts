import type { DesiredUpgrade } from '../desired.js';
import type { ObservedCluster, ObservedMember } from '../observed.js';
import { type PlanKind, planUpgrade, type UpgradePlan } from '../plan.js';
import { BUMPED, simulationOf, versionsOf } from './scenarios.js';

/** Three members that serve. */
export const healthy = simulationOf(3).observe();
export const withMembers = (changes: Readonly<Record<string, Partial<ObservedMember>>>, of = healthy): ObservedCluster => ({
  ...of,
  members: of.members.map((member) => ({ ...member, ...changes[member.name] })),
});
/** What a member says that went ahead to {@link BUMPED}. */
export const bumped = { versions: versionsOf(BUMPED), answers: 'waiting' } as const;

/** The plan of that kind, else the first there is. */
export function plan(observed: ObservedCluster, desired: DesiredUpgrade, kind?: PlanKind): UpgradePlan {
  const planned = planUpgrade(observed, desired);
  const found = planned.is === 'plans' ? planned.plans.find((one) => kind === undefined || one.kind === kind) : undefined;
  if (!found) throw new Error(JSON.stringify(planned));
  return found;
}
