import { setTimeout as pause } from 'node:timers/promises';
import type { Acting } from '#libs/contracts/activities.js';
import type { Confirmation, Planning } from '#libs/contracts/upgrade-activities.js';
import type { DesiredUpgrade } from '#libs/domain/upgrade/desired.js';
import { differences } from '#libs/domain/upgrade/difference.js';
import type { ObservedCluster, ObservedMember } from '#libs/domain/upgrade/observed.js';
import { type Planned, planUpgrade, type UpgradePlan } from '#libs/domain/upgrade/plan.js';
import { quorumOf } from '#libs/domain/upgrade/quorum.js';
import { type BackStage, planWayBack, type WayBack } from '#libs/domain/upgrade/way-back.js';
import type { Call } from '../shared/guard.js';
import type { UpgradeDeps } from './deps.js';
import { observe } from './observe.js';
import { ensureStatefulSet } from './recreate.js';
import { tableOf } from './table.js';

const LOOKS = 5;
const BETWEEN_MS = 2_000;

/** Looks again before a plan is refused for want of a majority: a single look misses members, as while a kubelet starts again. */
export async function lookForMajority<T>(
  { signal }: Call,
  look: () => Promise<T>,
  membersOf: (observed: T) => readonly ObservedMember[],
): Promise<T> {
  for (let looks = 1; ; looks++) {
    const observed = await look();
    const { online, majority } = quorumOf(membersOf(observed));
    if (online >= majority || looks === LOOKS) return observed;
    await pause(BETWEEN_MS, undefined, { signal });
  }
}

export function planSteps(deps: UpgradeDeps) {
  async function look({ signal }: Call, { operationId }: Acting, cluster: string, image?: string): Promise<ObservedCluster> {
    return (await observe(deps, { cluster, operationId, signal, ...(image === undefined ? {} : { image }) })).observed;
  }

  const lookAgain = (call: Call, acting: Acting, cluster: string, image: string) =>
    lookForMajority(
      call,
      () => look(call, acting, cluster, image),
      ({ members }) => members,
    );

  return {
    async planUpgrade(call: Call, acting: Acting, cluster: string, desired: DesiredUpgrade): Promise<Planning> {
      const observed = await lookAgain(call, acting, cluster, desired.build.image);
      return { planned: planUpgrade(observed, desired), table: tableOf(observed) };
    },

    async confirmPlan(call: Call, acting: Acting, plan: UpgradePlan, desired: DesiredUpgrade): Promise<Confirmation> {
      const observed = await lookAgain(call, acting, plan.cluster, desired.build.image);
      const order = plan.replaced.map(({ member }) => member);
      const planned = planUpgrade(observed, { ...desired, order });
      if (planned.is === 'plans') {
        const fresh = planned.plans.find(({ kind }) => kind === plan.kind);
        if (fresh?.hash === plan.hash) return { is: 'same' };
        // Anew without the old order, which was made for another cluster.
        const anew = planUpgrade(observed, desired);
        return { is: 'changed', planned: anew, differences: differ(plan, anew, fresh), table: tableOf(observed) };
      }
      return { is: 'changed', planned, differences: differ(plan, planned, undefined), table: tableOf(observed) };
    },

    async planWayBack(
      call: Call,
      acting: Acting,
      plan: UpgradePlan,
      desired: DesiredUpgrade,
      stage: BackStage = 'template',
    ): Promise<WayBack> {
      await deps.locks.assertHeld(acting, call.me, call.signal);
      await ensureStatefulSet(deps.clusters.get(plan.cluster), call.signal);
      for (let looks = 1; ; looks++) {
        const back = planWayBack(plan, await look(call, acting, plan.cluster, plan.before.build.image), desired, stage);
        // Down together is what does not answer; one look may have missed some that do.
        if (looks === LOOKS || !takesSeveral(back)) return back;
        await pause(BETWEEN_MS, undefined, { signal: call.signal });
      }
    },

    async observeCluster(call: Call, acting: Acting, cluster: string): Promise<ObservedCluster> {
      return look(call, acting, cluster);
    },
  };
}

function takesSeveral(back: WayBack): boolean {
  return back.is === 'open' && back.steps.some(({ action }) => action.do === 'delete-pods' && action.pods.length > 1);
}

function differ(approved: UpgradePlan, planned: Planned, fresh: UpgradePlan | undefined): string[] {
  if (planned.is === 'nothing-to-do') return [planned.because];
  if (planned.is === 'refused') return planned.refusals.map(({ reason }) => reason);
  if (fresh) return differences(approved, fresh);
  return [`A ${approved.kind} upgrade is not possible any more: now ${planned.plans.map(({ kind }) => kind).join(' or ')}.`];
}
