import { type DesiredScale, type ObservedScale, ordinalOf } from './observed.js';
import { byNumber, type ScalePlan } from './plan.js';
import { numberedScale, type ScaleStep, waitScale } from './steps.js';

/**
 * From a scaling that somebody aborts to a whole cluster, by what is to be seen now: a member that was on its way in or out goes back to where it
 * came from. Those that have come stay, those that are out stay out. Nothing is deleted but the volume of a member that never was one.
 */
export function planScaleBack(plan: ScalePlan, observed: ObservedScale, desired: DesiredScale): ScaleStep[] {
  const { statefulSet, members } = observed.cluster;
  const draft = { desired };
  const present = members.map(({ name }) => name).sort(byNumber(statefulSet.name));
  const there = present.filter((name) => !plan.lost.includes(name));
  // Asked for, or still being stopped.
  const strangers = plan.coming.filter((name) => !present.includes(name) && isPartlyThere(observed, name));
  const evacuated = plan.going.filter((name) => there.includes(name));
  const claimsOf = (name: string) => observed.claims.filter(({ member }) => member === name).map((claim) => claim.name);
  return numberedScale([
    ...(statefulSet.replicas === present.length
      ? []
      : [{ action: { do: 'set-replicas', replicas: present.length } as const, reason: 'as many as there are members' }]),
    ...strangers.flatMap((name) => [
      waitScale(draft, 'pod-gone', [name], 'it never was a member'),
      waitScale(draft, 'member-removed', [name], 'it has not joined in the last moment'),
      ...(claimsOf(name).length === 0
        ? []
        : [
            {
              action: { do: 'delete-claims', member: name, claims: claimsOf(name) } as const,
              reason: 'it was made for this, and would be in the way',
            },
          ]),
    ]),
    ...(evacuated.length === 0 ? [] : [waitScale(draft, 'members-online', there, 'those that were about to go are back')]),
    ...evacuated.map((member) => ({ action: { do: 'restore-member', member } as const, reason: 'its instances come back' })),
    waitScale(draft, 'members-online', there, 'the cluster as it is left'),
    waitScale(draft, 'quorum-margin', [], 'dqlite has given the roles to those there are'),
  ]);
}

function isPartlyThere({ cluster, claims }: ObservedScale, name: string): boolean {
  const { statefulSet, pods } = cluster;
  const asked = (ordinalOf(statefulSet.name, name) ?? 0) < statefulSet.replicas;
  return asked || pods.some((pod) => pod.name === name) || claims.some(({ member }) => member === name);
}
