import type { Acting } from '../../libs/contracts/activities.js';
import type { ScaleInput, ScaleReport, ScaleRequest } from '../../libs/contracts/scalings.js';
import type { UpgradePhase } from '../../libs/contracts/upgrades.js';
import type { DesiredScale } from '../../libs/domain/scale/observed.js';
import type { ScalePlan } from '../../libs/domain/scale/plan.js';
import { ClusterRun, type Confirmed } from '../cluster/cluster-run.js';
import { Orders } from '../cluster/orders.js';
import { Stages } from '../cluster/stages.js';
import { scaleStep } from './activities.js';
import { FollowScale } from './follow-scale.js';
import { recordOf, reportOf, type ScaleRecord, shownOf } from './scale-record.js';

/**
 * Brings a cluster of LXD to a number of members: plans, waits for an admin to approve exactly that plan, follows it step by step under gates. An abort
 * leaves a whole cluster: what was on its way in or out goes back, what has come or gone stays so. Ends with its report; fails with it when it
 * was refused, not approved, or left standing.
 */
export async function scaleLxd8s(input: ScaleInput): Promise<ScaleReport> {
  const record = recordOf(input);
  return await new Scaling(input, record, new Orders(record, input.requestedBy, 'scaling')).run();
}

class Scaling extends ClusterRun<ScalePlan, ScaleRequest, ScaleReport> {
  readonly #input: ScaleInput;
  readonly #acting: Acting;
  readonly #record: ScaleRecord;
  readonly #orders: Orders<ScalePlan, ScaleRequest>;

  constructor(input: ScaleInput, record: ScaleRecord, orders: Orders<ScalePlan, ScaleRequest>) {
    const { name, operationId, cluster, dryRun } = input;
    const acting: Acting = { kind: 'scale', name, operationId, uid: '' };
    super({ acting, cluster, dryRun, what: 'scaling', record, orders });
    this.#input = input;
    this.#acting = acting;
    this.#record = record;
    this.#orders = orders;
  }

  protected override report(ending?: string): ScaleReport {
    return reportOf(this.#record, ending);
  }

  protected override async carryOut(): Promise<UpgradePhase> {
    const { cluster, dryRun, requestedBy } = this.#input;
    const acting = this.#acting;
    const record = this.#record;
    const orders = this.#orders;
    const { settings, desired } = await record.other('prepare', `Read what is configured of ${cluster}`, () =>
      scaleStep(`Read what is configured of ${cluster}`).prepareScale(acting, this.#input),
    );
    orders.twoPersons = settings.twoPersons;
    if (!dryRun) await this.lock();
    const { planned, table } = await record.other('plan', `Plan the scaling of ${cluster}`, () =>
      scaleStep(`Plan the scaling of ${cluster}`).planScale(acting, cluster, desired),
    );
    record.planned(shownOf(planned), table);
    if (planned.is === 'nothing-to-do') return 'nothing-to-do';
    if (planned.is === 'refused') return this.refused(dryRun);
    if (dryRun) return 'planned';
    const stages = new Stages(record, orders, settings, 'scaling');
    const plan = await this.approved(stages, requestedBy.username, (one) => this.#confirm(one, desired));
    if (plan === 'nothing-to-do') return plan;
    const { stuckSeconds } = desired;
    const follow = new FollowScale({ acting, plan, record, orders, stages, stuckSeconds });
    return this.follow(follow, () => this.#goBack(plan, desired, follow, stages));
  }

  async #confirm(plan: ScalePlan, desired: DesiredScale): Promise<Confirmed<ScalePlan>> {
    const found = await scaleStep(`Plan ${plan.cluster} anew and compare`).confirmScale(this.#acting, plan, desired);
    if (found.is === 'same') return found;
    const { planned, differences, table } = found;
    const ends = planned.is === 'nothing-to-do' ? 'nothing-to-do' : 'refused';
    return { is: 'changed', shown: shownOf(planned), ends, differences, table };
  }

  async #goBack(
    plan: ScalePlan,
    desired: DesiredScale,
    follow: FollowScale,
    stages: Stages<ScalePlan, ScaleRequest>,
  ): Promise<UpgradePhase> {
    const record = this.#record;
    record.enter('going-back');
    const steps = await this.insist(stages, 'plan-back', 'Plan the way back by what is to be seen now', () =>
      scaleStep(`Plan the way back of ${plan.cluster}`).planScaleBack(this.#acting, plan, desired),
    );
    this.#orders.followed('abort');
    await follow.all(record.append(steps, 'back'), 'going-back');
    return 'went-back';
  }
}
