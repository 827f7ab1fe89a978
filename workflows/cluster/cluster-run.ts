import { ApplicationFailure, allHandlersFinished, CancellationScope, condition, isCancellation, patched } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type { MemberRow, RunPlan, RunView, UpgradePhase } from '../../libs/contracts/upgrades.js';
import { failureOf, reasonOf } from '../shared/failures.js';
import { upgradeStep } from '../upgrade/activities.js';
import type { FollowPlan } from './follow-plan.js';
import type { Orders, RunWord } from './orders.js';
import type { RunRecord, ShownPlans } from './run-record.js';
import { Aborted, Ended, type Stages } from './stages.js';

export interface ClusterRunParts<P extends RunPlan, R> {
  readonly acting: Acting;
  readonly cluster: string;
  readonly dryRun: true | undefined;
  readonly what: RunWord;
  readonly record: RunRecord<P, R>;
  readonly orders: Orders<P, R>;
}

/** What the cluster is found to be when it is looked at once more: still what the plan was approved for, or why not. */
export type Confirmed<P extends RunPlan> =
  | { readonly is: 'same' }
  | {
      readonly is: 'changed';
      readonly shown: ShownPlans<P>;
      readonly ends: 'nothing-to-do' | 'refused';
      readonly differences: readonly string[];
      readonly table: readonly MemberRow[];
    };

/**
 * What an upgrade and a scaling have in common: one at a time by the lock, a plan approved by its hash, followed with people's orders, a way back,
 * and the report as its result, or in its failure.
 */
export abstract class ClusterRun<P extends RunPlan, R, Report extends RunView<P, R>> {
  readonly #parts: ClusterRunParts<P, R>;

  protected constructor(parts: ClusterRunParts<P, R>) {
    this.#parts = parts;
  }

  /** Plans and carries out; gives the phase that it ends in. @throws Ended when it ends before its end. */
  protected abstract carryOut(): Promise<UpgradePhase>;
  /** Of the record as it is. */
  protected abstract report(ending?: string): Report;

  async run(): Promise<Report> {
    const { orders, record, what } = this.#parts;
    try {
      const outcome = await this.carryOut().then(
        (phase) => ({ phase }),
        (error: unknown) => ({ error }),
      );
      if (orders.approving) orders.confirm({ is: 'refused', why: `The ${what} has ended.` });
      // Whoever sees the end may ask for the next one: the lock is free by then.
      await CancellationScope.nonCancellable(() => this.#finish());
      if ('error' in outcome) {
        record.ended(record.phase === 'refused' ? 'refused' : 'ended');
        throw this.#failure(outcome.error);
      }
      record.ended(outcome.phase);
      return this.report();
    } finally {
      await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    }
  }

  protected async lock(): Promise<void> {
    const { acting, cluster, record } = this.#parts;
    await record.other('lock', `Lock the cluster ${cluster}`, () =>
      upgradeStep(`Lock the cluster ${cluster}`).takeClusterLock(acting, cluster),
    );
  }

  /** Of a dry run the refusals are what was asked for. */
  protected refused(dryRun: true | undefined): UpgradePhase {
    const { record } = this.#parts;
    if (dryRun) return 'refused';
    record.enter('refused');
    const { refusals } = record.view();
    throw new Ended(refusals.map(({ reason, remedy }) => `${reason} ${remedy}`).join(' '));
  }

  /** The plan that somebody approved and that is still the one to be made when the cluster is looked at once more. */
  protected async approved(
    stages: Stages<P, R>,
    requester: string,
    confirm: (plan: P) => Promise<Confirmed<P>>,
  ): Promise<P | 'nothing-to-do'> {
    const { record, orders } = this.#parts;
    for (;;) {
      await stages.approval(requester);
      const plan = orders.approving?.plan;
      if (!plan) continue;
      const confirmed = await record.other('confirm', 'Look whether the cluster is still what the approved plan was made for', () =>
        confirm(plan),
      );
      if (confirmed.is === 'same') {
        record.approve(plan);
        orders.confirm({ is: 'begins' });
        return plan;
      }
      const { shown, ends, differences, table } = confirmed;
      record.planned(shown, table, differences);
      const changed = `The cluster has changed since: ${differences.join(' ')}`;
      if (shown.plans.length > 0) {
        const hashes = shown.plans.map(({ kind, hash }) => `${kind} ${hash}`).join(', ');
        orders.confirm({ is: 'refused', why: `${changed} To be approved now: ${hashes}.` });
        continue;
      }
      orders.confirm({ is: 'refused', why: `${changed} There is nothing to approve any more.` });
      if (ends === 'nothing-to-do') return ends;
      this.refused(undefined);
    }
  }

  /** The steps of the plan, or, when somebody orders it, the way back. */
  protected async follow(follow: FollowPlan<P, R>, goBack: () => Promise<UpgradePhase>): Promise<UpgradePhase> {
    const { record, orders } = this.#parts;
    try {
      await follow.all([...record.steps], 'running');
      return 'finished';
    } catch (error) {
      if (!isCancellation(error) && !(error instanceof Aborted)) throw error;
      if (isCancellation(error)) orders.cancelled(follow.changed);
      if (!follow.changed) throw new Ended('Aborted before anything was changed.');
      return await CancellationScope.nonCancellable(orders.abortAsked ? () => this.#back(goBack) : () => this.#goOn(follow, goBack));
    }
  }

  /** A cancellation cut a step off behind which there is no way back: it is done again, and so on to the end. */
  async #goOn(follow: FollowPlan<P, R>, goBack: () => Promise<UpgradePhase>): Promise<UpgradePhase> {
    const left = this.#parts.record.steps.filter(({ state }) => state !== 'done' && state !== 'skipped');
    try {
      await follow.all(left, 'running');
      return 'finished';
    } catch (error) {
      if (!(error instanceof Aborted)) throw error;
      return this.#back(goBack);
    }
  }

  #back(goBack: () => Promise<UpgradePhase>): Promise<UpgradePhase> {
    this.#parts.record.cutOff();
    return goBack();
  }

  /** What has to be done before the way back can be followed: tried again whenever somebody says so, since without it nothing would be undone. */
  protected async insist<T>(stages: Stages<P, R>, name: string, summary: string, run: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await this.#parts.record.other(name, summary, run);
      } catch (error) {
        const { message, details } = reasonOf(error);
        const [first] = details as readonly ({ readonly reason?: unknown } | undefined)[];
        // Nobody can give the lock back.
        if (first?.reason === 'lock-lost' || !patched('the-way-back-is-insisted-on')) throw error;
        await stages.retryOf(summary, message);
      }
    }
  }

  #failure(error: unknown): Error {
    if (!(error instanceof Ended)) return failureOf(error, []);
    return ApplicationFailure.create({
      type: 'CONFLICT',
      message: error.message,
      nonRetryable: true,
      details: [{ report: this.report(error.message) }],
    });
  }

  /** Throw-away pods and the lock; what cannot be removed now the sweep removes. */
  async #finish(): Promise<void> {
    const { acting, cluster, dryRun, record } = this.#parts;
    if (dryRun) return;
    try {
      await record.other('finish', `Free the lock of ${cluster}`, () =>
        upgradeStep(`Remove throw-away pods and free the lock of ${cluster}`).finishUpgrade(acting, cluster),
      );
    } catch (error) {
      record.note(
        `The lock of ${cluster} could not be freed (${reasonOf(error).message}); the next upgrade takes it, and the sweep removes throw-away pods.`,
      );
    }
  }
}
