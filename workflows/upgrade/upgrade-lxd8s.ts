import { CancellationScope, patched } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type { PreparedUpgrade } from '../../libs/contracts/upgrade-activities.js';
import type { UpgradeInput, UpgradePhase, UpgradeReport, UpgradeRequest } from '../../libs/contracts/upgrades.js';
import type { DesiredUpgrade } from '../../libs/domain/upgrade/desired.js';
import type { UpgradePlan } from '../../libs/domain/upgrade/plan.js';
import type { BackStage, WayBack } from '../../libs/domain/upgrade/way-back.js';
import { ClusterRun, type Confirmed } from '../cluster/cluster-run.js';
import { Orders } from '../cluster/orders.js';
import { Ended, Stages } from '../cluster/stages.js';
import { reasonOf } from '../shared/failures.js';
import { upgradeStep } from './activities.js';
import { FollowSteps } from './follow-steps.js';
import { ProbeLease } from './probe-lease.js';
import { reportOf } from './report.js';
import { recordOf, shownOf, type UpgradeRecord } from './upgrade-record.js';

/** Seven days, where the way of change names no other time for a merge. */
const MERGE_SECONDS = 604_800;

/**
 * Brings a cluster of LXD members to an image: plans, waits for an admin to approve exactly that plan, follows it step by step under gates, and
 * goes back when somebody says so. Ends with its report; fails with it when it was refused, not approved, or left standing.
 */
export async function upgradeLxd8s(input: UpgradeInput): Promise<UpgradeReport> {
  const record = recordOf(input);
  return await new Upgrade(input, record, new Orders(record, input.requestedBy, 'upgrade')).run();
}

class Upgrade extends ClusterRun<UpgradePlan, UpgradeRequest, UpgradeReport> {
  readonly #input: UpgradeInput;
  readonly #acting: Acting;
  readonly #record: UpgradeRecord;
  readonly #orders: Orders<UpgradePlan, UpgradeRequest>;

  constructor(input: UpgradeInput, record: UpgradeRecord, orders: Orders<UpgradePlan, UpgradeRequest>) {
    const { name, operationId, cluster, dryRun } = input;
    const acting: Acting = { kind: 'upgrade', name, operationId, uid: '' };
    super({ acting, cluster, dryRun, what: 'upgrade', record, orders });
    this.#input = input;
    this.#acting = acting;
    this.#record = record;
    this.#orders = orders;
  }

  protected override report(ending?: string): UpgradeReport {
    return reportOf(this.#record, ending);
  }

  protected override async carryOut(): Promise<UpgradePhase> {
    const { cluster, image, dryRun, requestedBy } = this.#input;
    const acting = this.#acting;
    const record = this.#record;
    const { settings, desired: wanted } = await record.other('prepare', `Read what is configured of ${cluster}`, () =>
      upgradeStep(`Read what is configured of ${cluster}`).prepareUpgrade(acting, this.#input),
    );
    this.#orders.twoPersons = settings.twoPersons;
    if (!dryRun) {
      await this.lock();
      await record.other('pull', `Have ${image} pulled to the nodes`, () =>
        upgradeStep(`Have ${image} pulled to the nodes`).pullImages(acting, this.#input),
      );
    }
    const target = await record.other('probe', `Read the versions of ${image} from a throw-away instance`, () =>
      upgradeStep(`Read the versions of ${image}`).probeTargetVersion(acting, this.#input),
    );
    const desired: DesiredUpgrade = { ...wanted, target };
    const { planned, table } = await record.other('plan', `Plan the upgrade of ${cluster}`, () =>
      upgradeStep(`Plan the upgrade of ${cluster}`).planUpgrade(acting, cluster, desired),
    );
    record.planned(shownOf(planned), table);
    if (planned.is === 'nothing-to-do') return 'nothing-to-do';
    if (planned.is === 'refused') return this.refused(dryRun);
    if (dryRun) return 'planned';
    const stages = new Stages(record, this.#orders, settings, 'upgrade');
    const approved = await this.approved(stages, requestedBy.username, (plan) => this.#confirm(plan, desired));
    if (approved === 'nothing-to-do') return approved;
    return this.#follow(approved, { ...desired, order: approved.replaced.map(({ member }) => member) }, settings, stages);
  }

  async #confirm(plan: UpgradePlan, desired: DesiredUpgrade): Promise<Confirmed<UpgradePlan>> {
    const found = await upgradeStep(`Plan ${plan.cluster} anew and compare`).confirmPlan(this.#acting, plan, desired);
    if (found.is === 'same') return found;
    const { planned, differences, table } = found;
    return {
      is: 'changed',
      shown: shownOf(planned),
      ends: planned.is === 'nothing-to-do' ? 'nothing-to-do' : 'refused',
      differences,
      table,
    };
  }

  async #follow(
    plan: UpgradePlan,
    desired: DesiredUpgrade,
    settings: PreparedUpgrade['settings'],
    stages: Stages<UpgradePlan, UpgradeRequest>,
  ): Promise<UpgradePhase> {
    const acting = this.#acting;
    const record = this.#record;
    const { cluster, hash, kind } = plan;
    const lease = new ProbeLease(
      acting,
      { cluster, hash, kind },
      {
        seconds: settings.probeLease.seconds,
        by: this.#input.requestedBy.username,
        why: `upgrade to ${plan.target.build.image}`,
      },
    );
    const mergeSeconds = desired.deadlinesSeconds['template-shown'] ?? MERGE_SECONDS;
    const follow = new FollowSteps({ acting, plan, record, orders: this.#orders, stages, lease, mergeSeconds });
    try {
      return await this.follow(follow, () => this.#goBack(plan, desired, follow, stages));
    } finally {
      // What was not released expires by itself.
      await CancellationScope.nonCancellable(() => lease.drop());
    }
  }

  async #goBack(
    plan: UpgradePlan,
    desired: DesiredUpgrade,
    follow: FollowSteps,
    stages: Stages<UpgradePlan, UpgradeRequest>,
  ): Promise<UpgradePhase> {
    const acting = this.#acting;
    const record = this.#record;
    record.enter('going-back');
    const { proposal } = follow;
    if (proposal) {
      const { cluster, hash, kind } = plan;
      try {
        await record.other('withdraw', `Close ${proposal.url}`, () =>
          upgradeStep(`Close ${proposal.url}`).withdrawProposal(acting, { cluster, hash, kind }, proposal),
        );
      } catch (error) {
        if (!patched('the-way-back-does-not-wait-for-github')) throw error;
        record.note(`${proposal.url} could not be closed (${reasonOf(error).message}): close it, or its merge brings the new image.`);
      }
    }
    for (let stage: BackStage | undefined = 'template'; stage !== undefined; ) {
      const now: BackStage = stage;
      const back: WayBack = await this.insist(stages, 'plan-back', 'Plan the way back by what is to be seen now', () =>
        upgradeStep(`Plan the way back of ${plan.cluster}`).planWayBack(acting, plan, desired, now),
      );
      this.#orders.followed('abort');
      if (back.is === 'closed') throw new Ended(`There is no way back. ${back.reason} ${back.remedy}`);
      await follow.all(record.append(back.steps, 'back'), 'going-back');
      // Of a worker of before there is one stage.
      stage = back.next;
    }
    return 'went-back';
  }
}
