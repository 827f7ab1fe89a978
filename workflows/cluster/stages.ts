import { condition } from '@temporalio/workflow';
import type { RunSettings } from '../../libs/contracts/upgrade-activities.js';
import type { RunPlan, UpgradePhase, UpgradeUpdate, UpgradeWait } from '../../libs/contracts/upgrades.js';
import type { Orders, RunWord } from './orders.js';
import { gateOf, type RunRecord, type StepRecord } from './run-record.js';

/** Ended before its end: nothing was changed, or it stands as it is. */
export class Ended extends Error {
  override readonly name = 'Ended';
}

/** Somebody ordered the way back. */
export class Aborted extends Error {
  override readonly name = 'Aborted';
}

const BY = '"by": {"subject": "<account id>", "username": "<name>"}';
const ADMINS = 'any admin';

type Update = UpgradeWait['updates'][number];

function update(name: UpgradeUpdate, rest = '', who = ADMINS): Update {
  return { name, argument: `{${BY}${rest === '' ? '' : `, ${rest}`}}`, who };
}

/** Where an upgrade or a scaling stands still for people: each says what to send, and none lasts for ever. */
export class Stages<P extends RunPlan, R = unknown> {
  readonly #record: RunRecord<P, R>;
  readonly #orders: Orders<P, R>;
  readonly #settings: RunSettings;
  readonly #what: RunWord;

  constructor(record: RunRecord<P, R>, orders: Orders<P, R>, settings: RunSettings, what: RunWord) {
    this.#record = record;
    this.#orders = orders;
    this.#settings = settings;
    this.#what = what;
  }

  /** Until somebody approves a plan. @throws Ended when nobody does, or somebody aborts. */
  async approval(requester: string): Promise<void> {
    const { approvalSeconds, twoPersons } = this.#settings;
    const { plans } = this.#record;
    const who = twoPersons ? `an admin other than ${requester}` : ADMINS;
    const updates = plans.map(({ hash, pointOfNoReturn }) =>
      update('approve', `"hash": "${hash}"${pointOfNoReturn ? ', "acceptPointOfNoReturn": true' : ''}`, who),
    );
    const what = plans.length > 1 ? 'one of the plans' : 'the plan';
    const orders = this.#orders;
    const came = await this.#stand(
      'awaiting-approval',
      `an approval of ${what}`,
      approvalSeconds,
      [...updates, update('abort')],
      () => orders.approving !== undefined || orders.abortAsked,
    );
    if (orders.abortAsked) throw new Ended('Aborted before anything was changed.');
    if (!came) throw new Ended(`Nobody has approved ${what} in time; nothing was changed.`);
  }

  /** Before a step: stands while a pause is ordered. @throws Aborted, Ended. */
  async boundary(step: StepRecord, phase: UpgradePhase): Promise<void> {
    const orders = this.#orders;
    if (orders.pauseAsked && step.step.pause === 'allowed' && !orders.abortAsked) {
      const came = await this.#stand(
        'paused',
        `somebody to resume it; next is ${step.step.id}: ${step.text}`,
        this.#settings.standSeconds,
        [update('resume'), update('abort', '"reason": "<why>"')],
        () => !orders.pauseAsked || orders.abortAsked,
      );
      if (!came)
        throw new Ended(
          `It was paused for longer than it may; it stands before step ${step.step.id}. Ask for the ${this.#what} again to go on.`,
        );
      this.#record.enter(phase);
    }
    this.#assertNotAborted(phase);
  }

  /** After a failure: what somebody decides. @throws Aborted, Ended. */
  async decision(step: StepRecord, phase: UpgradePhase, plan: P): Promise<'retry' | 'skip'> {
    const orders = this.#orders;
    orders.followed('retry', 'skip');
    const gate = gateOf(step);
    const back = phase === 'going-back';
    const why = step.error?.message ?? (step.outcome?.is === 'failed' ? `${step.outcome.reason} ${step.outcome.remedy}` : 'It failed.');
    const updates = [
      update('retry'),
      ...(gate === undefined || gate === 'change-merged' ? [] : [update('skip', `"gate": "${gate}", "reason": "<why>"`)]),
      ...(back || this.#record.pastReturn
        ? []
        : [
            update(
              'abort',
              '"reason": "<why>"',
              plan.pointOfNoReturn ? `${ADMINS}, until step ${plan.pointOfNoReturn.step} begins` : ADMINS,
            ),
          ]),
    ];
    const came = await this.#stand(
      'failed-step',
      `somebody to decide about step ${step.step.id}. ${why}`,
      this.#settings.standSeconds,
      updates,
      () => orders.retryAsked || orders.abortAsked || orders.skipAsked(step),
    );
    this.#record.enter(phase);
    this.#assertNotAborted(phase);
    if (!came) throw new Ended(`Nobody has decided in time about step ${step.step.id} (${step.text}). ${why} It stands as it is.`);
    const decided = orders.retryAsked ? 'retry' : 'skip';
    orders.followed('retry', 'skip');
    return decided;
  }

  /** After a failure outside the steps, on the way back: until somebody says that it is tried again. @throws Ended. */
  async retryOf(what: string, why: string): Promise<void> {
    const orders = this.#orders;
    orders.followed('retry');
    const { standSeconds } = this.#settings;
    const came = await this.#stand(
      'failed-step',
      `somebody to say retry. ${what}: ${why}`,
      standSeconds,
      [update('retry')],
      () => orders.retryAsked,
    );
    if (!came) throw new Ended(`${what} failed, and nobody has said in time that it is tried again: ${why} It stands as it is.`);
    orders.followed('retry');
    this.#record.enter('going-back');
  }

  /** While a gate is waited for. */
  gate(step: StepRecord, phase: UpgradePhase, deadline: string): void {
    const gate = gateOf(step);
    const { outcome } = step;
    const waits = outcome?.is === 'waiting' ? outcome : undefined;
    this.#record.enter(phase, {
      for: waits ? `${gate}: ${waits.reason}` : `${gate}`,
      ...(waits?.progress === undefined ? {} : { progress: waits.progress }),
      since: step.startedAt ?? deadline,
      deadline,
      updates: [
        ...(this.#record.steps.some((one) => one.state === 'planned' && one.step.pause === 'allowed') ? [update('pause')] : []),
        ...(gate === 'change-merged' ? [] : [update('skip', `"gate": "${gate}", "reason": "<why>"`)]),
        ...(phase === 'going-back' || this.#record.pastReturn ? [] : [update('abort', '"reason": "<why>"')]),
      ],
    });
  }

  #assertNotAborted(phase: UpgradePhase): void {
    if (this.#orders.abortAsked && phase !== 'going-back') throw new Aborted('aborted');
  }

  async #stand(phase: UpgradePhase, reason: string, seconds: number, updates: readonly Update[], until: () => boolean): Promise<boolean> {
    const since = Date.now();
    const deadline = new Date(since + seconds * 1000).toISOString();
    this.#record.enter(phase, { for: reason, since: new Date(since).toISOString(), deadline, updates });
    return condition(until, seconds * 1000);
  }
}
