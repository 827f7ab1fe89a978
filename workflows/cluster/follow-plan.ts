import { ApplicationFailure, isCancellation } from '@temporalio/workflow';
import type { GateReading, GateWatch } from '../../libs/contracts/upgrade-activities.js';
import type { RunPlan } from '../../libs/contracts/upgrades.js';
import { interruptible } from './interruptible.js';
import type { Orders } from './orders.js';
import type { RunRecord, StepRecord } from './run-record.js';
import { Aborted, Ended, type Stages } from './stages.js';

export interface Following<P extends RunPlan, R> {
  readonly plan: P;
  readonly record: RunRecord<P, R>;
  readonly orders: Orders<P, R>;
  readonly stages: Stages<P, R>;
}

/** Of a step: `failed` is for somebody to decide. */
export type Done = 'done' | 'failed' | 'skipped' | { readonly result: string };
export type Look = Pick<GateWatch, 'deadline' | 'knownReason' | 'returnAfterSeconds' | 'returnOn' | 'passingSince'>;
export type Way = 'running' | 'going-back';
type StepOf<P extends RunPlan> = StepRecord<P['steps'][number]>;

/** Longest stay in one look at a gate, so that its numbers are not old; at first they are looked at more often. */
const LONGEST_LOOK_SECONDS = 900;
const FIRST_LOOK_SECONDS = 15;
/** A gate that has changed its mind so often is left alone until it is decided: a history has an end. */
const CHANGES = 40;

/** Follows planned steps one after the other, each with what people may order meanwhile. */
export abstract class FollowPlan<P extends RunPlan, R> {
  readonly #following: Following<P, R>;
  /** Whatever else a step does, it has changed something then. */
  readonly #harmless: ReadonlySet<string>;
  #way: Way = 'running';
  #changed = false;

  protected constructor(following: Following<P, R>, harmless: ReadonlySet<string>) {
    this.#following = following;
    this.#harmless = harmless;
  }

  /** Whether anything was changed that a way back has to undo. */
  get changed(): boolean {
    return this.#changed;
  }

  protected get way(): Way {
    return this.#way;
  }

  /** Does a step. `rest` comes after it; `stood` when it stood still before it. */
  protected abstract run(step: StepOf<P>, rest: readonly StepOf<P>[], stood: boolean): Promise<Done>;

  /** @throws Aborted when somebody orders the way back, Ended when nobody decides in time. */
  async all(steps: readonly StepOf<P>[], way: Way): Promise<void> {
    const { record, orders, stages } = this.#following;
    this.#way = way;
    record.enter(way);
    for (const [index, step] of steps.entries()) {
      const stood = orders.pauseAsked;
      await stages.boundary(step, way);
      await this.#follow(step, steps.slice(index + 1), stood);
    }
  }

  async #follow(step: StepOf<P>, rest: readonly StepOf<P>[], stood: boolean): Promise<void> {
    const { record, stages, plan } = this.#following;
    for (;;) {
      record.began(step);
      try {
        if (!this.#harmless.has(step.step.action.do)) this.#changed = true;
        const done = await this.run(step, rest, stood);
        if (done !== 'failed')
          return record.closed(step, done === 'skipped' ? 'skipped' : 'done', typeof done === 'object' ? done.result : undefined);
      } catch (error) {
        if (error instanceof Aborted || error instanceof Ended || isCancellation(error)) throw error;
        record.failed(step, error);
      }
      if (this.#abortAsked()) throw new Aborted('aborted');
      step.state = 'failed';
      if ((await stages.decision(step, this.#way, plan)) === 'skip') return record.closed(step, 'skipped');
    }
  }

  protected async plain(run: () => Promise<void>): Promise<'done'> {
    await this.orStop(run);
    return 'done';
  }

  /** Cut off by an abort. */
  protected async orStop<T>(run: () => Promise<T>): Promise<T> {
    const given = await interruptible(run, () => this.#abortAsked());
    if (given === 'stopped') throw new Aborted('aborted');
    return given as T;
  }

  /** Until it passes, fails or is skipped; each look with newer numbers. */
  protected async watch(seconds: number, look: (watch: Look) => Promise<GateReading>): Promise<Exclude<Done, object>> {
    const { record, orders, stages } = this.#following;
    const step = record.steps.findLast(({ state }) => state === 'running');
    if (!step) throw ApplicationFailure.nonRetryable('no step is running');
    const deadline = new Date(Date.now() + seconds * 1000).toISOString();
    let knownReason = '';
    let passingSince: string | undefined;
    for (let looks = 0; ; looks++) {
      stages.gate(step, this.#way, deadline);
      const returnAfterSeconds = Math.min(FIRST_LOOK_SECONDS * 2 ** looks, LONGEST_LOOK_SECONDS);
      const returnOn = looks < CHANGES ? 'change' : 'outcome';
      const stop = () => orders.skipAsked(step) || this.#abortAsked();
      const reading = await interruptible(() => look({ deadline, knownReason, returnAfterSeconds, returnOn, passingSince }), stop);
      if (reading !== 'stopped') {
        record.read(step, reading);
        if (reading.outcome.is === 'passed') {
          orders.stepEnded();
          return 'done';
        }
      }
      if (this.#abortAsked()) {
        orders.stepEnded();
        throw new Aborted('aborted');
      }
      if (orders.skipAsked(step)) {
        orders.followed('skip');
        return 'skipped';
      }
      if (reading !== 'stopped') {
        if (reading.outcome.is === 'failed') return 'failed';
        knownReason = reading.outcome.is === 'waiting' ? reading.outcome.reason : '';
        passingSince = reading.passingSince;
      }
    }
  }

  #abortAsked(): boolean {
    return this.#following.orders.abortAsked && this.#way === 'running';
  }
}

/** Of an activity, as Temporal UI shows it: the step of the plan, and what is done. */
export function summaryOf({ step, text, way }: StepRecord): string {
  return `${way === 'back' ? 'back ' : ''}${step.id}: ${text}`;
}
