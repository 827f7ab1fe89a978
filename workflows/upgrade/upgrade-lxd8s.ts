import { ApplicationFailure, allHandlersFinished, CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type { PreparedUpgrade } from '../../libs/contracts/upgrade-activities.js';
import type { UpgradeInput, UpgradePhase, UpgradeReport } from '../../libs/contracts/upgrades.js';
import type { DesiredUpgrade } from '../../libs/domain/upgrade/desired.js';
import type { UpgradePlan } from '../../libs/domain/upgrade/plan.js';
import { failureOf, reasonOf } from '../shared/failures.js';
import { upgradeStep } from './activities.js';
import { FollowSteps } from './follow-steps.js';
import { Orders } from './orders.js';
import { ProbeLease } from './probe-lease.js';
import { reportOf } from './report.js';
import { Aborted, Ended, Stages } from './stages.js';
import { UpgradeRecord } from './upgrade-record.js';

/** Seven days, where the way of change names no other time for a merge. */
const MERGE_SECONDS = 604_800;

/**
 * Brings a cluster of LXD members to an image: plans, waits for an admin to approve exactly that plan, follows it step by step under gates, and
 * goes back when somebody says so. Ends with its report; fails with it when it was refused, not approved, or left standing.
 */
export async function upgradeLxd8s(input: UpgradeInput): Promise<UpgradeReport> {
  const record = new UpgradeRecord(input);
  const orders = new Orders(record, input.requestedBy);
  const upgrade = new Upgrade(input, record, orders);
  try {
    return await upgrade.run();
  } finally {
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  }
}

class Upgrade {
  readonly #input: UpgradeInput;
  readonly #acting: Acting;
  readonly #record: UpgradeRecord;
  readonly #orders: Orders;

  constructor(input: UpgradeInput, record: UpgradeRecord, orders: Orders) {
    const { name, operationId } = input;
    this.#input = input;
    this.#acting = { kind: 'upgrade', name, operationId, uid: '' };
    this.#record = record;
    this.#orders = orders;
  }

  async run(): Promise<UpgradeReport> {
    const outcome = await this.#upgrade().then(
      (phase) => ({ phase }),
      (error: unknown) => ({ error }),
    );
    this.#orders.confirm({ is: 'refused', why: 'The upgrade has ended.' });
    // Whoever sees the end may ask for the next upgrade: the lock is free by then.
    await CancellationScope.nonCancellable(() => this.#finish());
    if ('phase' in outcome) return this.#completed(outcome.phase);
    this.#record.ended(this.#record.phase === 'refused' ? 'refused' : 'ended');
    throw this.#failure(outcome.error);
  }

  async #upgrade(): Promise<UpgradePhase> {
    const { cluster, image, dryRun } = this.#input;
    const acting = this.#acting;
    const record = this.#record;
    const { settings, desired: wanted } = await record.other('prepare', `Read what is configured of ${cluster}`, () =>
      upgradeStep(`Read what is configured of ${cluster}`).prepareUpgrade(acting, this.#input),
    );
    this.#orders.twoPersons = settings.twoPersons;
    if (!dryRun) {
      await record.other('lock', `Lock the cluster ${cluster}`, () =>
        upgradeStep(`Lock the cluster ${cluster}`).takeClusterLock(acting, cluster),
      );
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
    record.planned(planned, table);
    if (planned.is === 'nothing-to-do') return 'nothing-to-do';
    if (planned.is === 'refused') return this.#refused(dryRun);
    if (dryRun) return 'planned';
    const stages = new Stages(record, this.#orders, settings);
    const approved = await this.#approved(stages, desired);
    if (approved === 'nothing-to-do') return approved;
    return this.#carryOut(approved, { ...desired, order: approved.replaced.map(({ member }) => member) }, settings, stages);
  }

  /** Of a dry run the refusals are what was asked for. */
  #refused(dryRun: true | undefined): UpgradePhase {
    if (dryRun) return 'refused';
    this.#record.enter('refused');
    const { refusals } = this.#record.view();
    throw new Ended(refusals.map(({ reason, remedy }) => `${reason} ${remedy}`).join(' '));
  }

  /** The plan that somebody approved and that is still the one to be made when the cluster is looked at once more. */
  async #approved(stages: Stages, desired: DesiredUpgrade): Promise<UpgradePlan | 'nothing-to-do'> {
    const record = this.#record;
    const orders = this.#orders;
    for (;;) {
      await stages.approval(this.#input.requestedBy.username);
      const plan = orders.approving?.plan;
      if (!plan) continue;
      const confirmation = await record.other('confirm', 'Look whether the cluster is still what the approved plan was made for', () =>
        upgradeStep(`Plan ${plan.cluster} anew and compare`).confirmPlan(this.#acting, plan, desired),
      );
      if (confirmation.is === 'same') {
        record.approve(plan);
        orders.confirm({ is: 'begins' });
        return plan;
      }
      const { planned, differences, table } = confirmation;
      record.planned(planned, table, differences);
      if (planned.is === 'plans') {
        const hashes = planned.plans.map(({ kind, hash }) => `${kind} ${hash}`).join(', ');
        orders.confirm({ is: 'refused', why: `The cluster has changed since: ${differences.join(' ')} To be approved now: ${hashes}.` });
        continue;
      }
      orders.confirm({
        is: 'refused',
        why: `The cluster has changed since: ${differences.join(' ')} There is nothing to approve any more.`,
      });
      if (planned.is === 'nothing-to-do') return 'nothing-to-do';
      this.#refused(undefined);
    }
  }

  async #carryOut(
    plan: UpgradePlan,
    desired: DesiredUpgrade,
    settings: PreparedUpgrade['settings'],
    stages: Stages,
  ): Promise<UpgradePhase> {
    const acting = this.#acting;
    const record = this.#record;
    const orders = this.#orders;
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
    const follow = new FollowSteps({ acting, plan, record, orders, stages, lease, mergeSeconds });
    try {
      await follow.all([...record.steps], 'running');
      return 'finished';
    } catch (error) {
      if (isCancellation(error)) orders.cancelled();
      else if (!(error instanceof Aborted)) throw error;
      if (!follow.changed) throw new Ended('Aborted before anything was changed.');
      return await CancellationScope.nonCancellable(() => this.#goBack(plan, desired, follow));
    } finally {
      // What was not released expires by itself.
      await CancellationScope.nonCancellable(() => lease.drop());
    }
  }

  async #goBack(plan: UpgradePlan, desired: DesiredUpgrade, follow: FollowSteps): Promise<UpgradePhase> {
    const acting = this.#acting;
    const record = this.#record;
    record.enter('going-back');
    const { proposal } = follow;
    if (proposal) {
      const { cluster, hash, kind } = plan;
      await record.other('withdraw', `Close ${proposal.url}`, () =>
        upgradeStep(`Close ${proposal.url}`).withdrawProposal(acting, { cluster, hash, kind }, proposal),
      );
    }
    const back = await record.other('plan-back', 'Plan the way back by what is to be seen now', () =>
      upgradeStep(`Plan the way back of ${plan.cluster}`).planWayBack(acting, plan, desired),
    );
    this.#orders.followed('abort');
    if (back.is === 'closed') throw new Ended(`There is no way back. ${back.reason} ${back.remedy}`);
    await follow.all(record.append(back.steps, 'back'), 'going-back');
    return 'went-back';
  }

  #completed(phase: UpgradePhase): UpgradeReport {
    this.#record.ended(phase);
    return reportOf(this.#record);
  }

  #failure(error: unknown): Error {
    if (!(error instanceof Ended)) return failureOf(error, []);
    return ApplicationFailure.create({
      type: 'CONFLICT',
      message: error.message,
      nonRetryable: true,
      details: [{ report: reportOf(this.#record, error.message) }],
    });
  }

  /** Throw-away pods and the lock; what cannot be removed now the sweep removes. */
  async #finish(): Promise<void> {
    if (this.#input.dryRun) return;
    const { cluster } = this.#input;
    try {
      await this.#record.other('finish', `Free the lock of ${cluster}`, () =>
        upgradeStep(`Remove throw-away pods and free the lock of ${cluster}`).finishUpgrade(this.#acting, cluster),
      );
    } catch (error) {
      this.#record.differs([
        `The lock of ${cluster} could not be freed (${reasonOf(error).message}); the next upgrade takes it, and the sweep removes throw-away pods.`,
      ]);
    }
  }
}
