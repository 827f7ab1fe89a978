import type { Acting } from '#libs/contracts/activities.js';
import type { PreparedScale, ScaleConfirmation, ScaleInput, ScalePlanning } from '#libs/contracts/scalings.js';
import { differences } from '#libs/domain/scale/difference.js';
import type { DesiredScale, ObservedScale } from '#libs/domain/scale/observed.js';
import { planScale, type ScalePlan } from '#libs/domain/scale/plan.js';
import type { ScaleStep } from '#libs/domain/scale/steps.js';
import { planScaleBack } from '#libs/domain/scale/way-back.js';
import { hasMajority } from '#libs/domain/upgrade/quorum.js';
import type { Call } from '../shared/guard.js';
import type { UpgradeDeps } from '../upgrade/deps.js';
import { lookAgain } from '../upgrade/look-again.js';
import { tableOf } from '../upgrade/table.js';
import { observeScale } from './observe-scale.js';

export function planScaleSteps(deps: UpgradeDeps) {
  async function look({ signal }: Call, { operationId }: Acting, cluster: string): Promise<ObservedScale> {
    return (await observeScale(deps, { cluster, operationId, signal })).observed;
  }

  const lookForMajority = (call: Call, acting: Acting, cluster: string) =>
    lookAgain(
      call,
      () => look(call, acting, cluster),
      (observed) => hasMajority(observed.cluster.members),
    );

  return {
    async prepareScale(_call: Call, _acting: Acting, { cluster, replicas, volumes, lost }: ScaleInput): Promise<PreparedScale> {
      const { approvalSeconds, twoPersons, standSeconds, deadlinesSeconds, settleSeconds, stuckSeconds } =
        deps.clusters.get(cluster).config;
      return {
        settings: { approvalSeconds, twoPersons, standSeconds },
        desired: { replicas, volumes: volumes ?? 'keep', lost: lost ?? 'refused', deadlinesSeconds, settleSeconds, stuckSeconds },
      };
    },

    async planScale(call: Call, acting: Acting, cluster: string, desired: DesiredScale): Promise<ScalePlanning> {
      const observed = await lookForMajority(call, acting, cluster);
      return { planned: planScale(observed, desired), table: tableOf(observed.cluster) };
    },

    async confirmScale(call: Call, acting: Acting, plan: ScalePlan, desired: DesiredScale): Promise<ScaleConfirmation> {
      const observed = await lookForMajority(call, acting, plan.cluster);
      const planned = planScale(observed, desired);
      if (planned.is === 'plan' && planned.plan.hash === plan.hash) return { is: 'same' };
      return { is: 'changed', planned, differences: differences(plan, planned), table: tableOf(observed.cluster) };
    },

    async planScaleBack(call: Call, acting: Acting, plan: ScalePlan, desired: DesiredScale): Promise<readonly ScaleStep[]> {
      await deps.locks.assertHeld(acting, call.me, call.signal);
      return planScaleBack(plan, await look(call, acting, plan.cluster), desired);
    },
  };
}
