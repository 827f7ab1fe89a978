import type { Acting } from '#libs/contracts/activities.js';
import type { Confirmation, Planning } from '#libs/contracts/upgrade-activities.js';
import type { DesiredUpgrade } from '#libs/domain/upgrade/desired.js';
import { differences } from '#libs/domain/upgrade/difference.js';
import type { ObservedCluster } from '#libs/domain/upgrade/observed.js';
import { type Planned, planUpgrade, type UpgradePlan } from '#libs/domain/upgrade/plan.js';
import { hasMajority } from '#libs/domain/upgrade/quorum.js';
import { type BackStage, planWayBack, takesSeveral, type WayBack } from '#libs/domain/upgrade/way-back.js';
import type { Call } from '../shared/guard.js';
import type { UpgradeDeps } from './deps.js';
import { lookAgain } from './look-again.js';
import { observe } from './observe.js';
import { ensureStatefulSet } from './recreate.js';
import { tableOf } from './table.js';

export function planSteps(deps: UpgradeDeps) {
  async function look({ signal }: Call, { operationId }: Acting, cluster: string, image?: string): Promise<ObservedCluster> {
    return (await observe(deps, { cluster, operationId, signal, ...(image === undefined ? {} : { image }) })).observed;
  }

  const lookForMajority = (call: Call, acting: Acting, cluster: string, image: string) =>
    lookAgain(
      call,
      () => look(call, acting, cluster, image),
      ({ members }) => hasMajority(members),
    );

  return {
    async planUpgrade(call: Call, acting: Acting, cluster: string, desired: DesiredUpgrade): Promise<Planning> {
      const observed = await lookForMajority(call, acting, cluster, desired.build.image);
      return { planned: planUpgrade(observed, desired), table: tableOf(observed) };
    },

    async confirmPlan(call: Call, acting: Acting, plan: UpgradePlan, desired: DesiredUpgrade): Promise<Confirmation> {
      const observed = await lookForMajority(call, acting, plan.cluster, desired.build.image);
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
      const planned = async () => planWayBack(plan, await look(call, acting, plan.cluster, plan.before.build.image), desired, stage);
      // Down together is what does not answer; one look may have missed some that do.
      return lookAgain(call, planned, (back) => !takesSeveral(back));
    },

    async observeCluster(call: Call, acting: Acting, cluster: string): Promise<ObservedCluster> {
      return look(call, acting, cluster);
    },
  };
}

function differ(approved: UpgradePlan, planned: Planned, fresh: UpgradePlan | undefined): string[] {
  if (planned.is === 'nothing-to-do') return [planned.because];
  if (planned.is === 'refused') return planned.refusals.map(({ reason }) => reason);
  if (fresh) return differences(approved, fresh);
  return [`A ${approved.kind} upgrade is not possible any more: now ${planned.plans.map(({ kind }) => kind).join(' or ')}.`];
}
