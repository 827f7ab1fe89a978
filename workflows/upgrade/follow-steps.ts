import { ApplicationFailure, CancellationScope, isCancellation, patched } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type { GateReading, OfPlan, Proposal, TemplateChange } from '../../libs/contracts/upgrade-activities.js';
import type { PlannedStep, UpgradeAction } from '../../libs/domain/upgrade/actions.js';
import type { UpgradePlan } from '../../libs/domain/upgrade/plan.js';
import { longUpgradeStep, upgradeStep, watching } from './activities.js';
import { interruptible } from './interruptible.js';
import type { Orders } from './orders.js';
import type { ProbeLease } from './probe-lease.js';
import { Aborted, Ended, type Stages } from './stages.js';
import type { StepRecord, UpgradeRecord } from './upgrade-record.js';

export interface Following {
  readonly acting: Acting;
  readonly plan: UpgradePlan;
  readonly record: UpgradeRecord;
  readonly orders: Orders;
  readonly stages: Stages;
  readonly lease: ProbeLease;
  /** Where a merge is waited for. */
  readonly mergeSeconds: number;
}

type Wait = Extract<UpgradeAction, { do: 'wait-for-gate' }>;

/** Longest stay in one look at a gate, so that its numbers are not old; at first they are looked at more often. */
const LONGEST_LOOK_SECONDS = 900;
const FIRST_LOOK_SECONDS = 15;
/** A gate that has changed its mind so often is left alone until it is decided: a history has an end. */
const CHANGES = 40;
/** Histories from before it looked anew for each gate. */
const ONE_LOOK = 'gates-of-one-look';
/** What only looks, or saves: an upgrade that did no more has changed nothing. */
const HARMLESS: ReadonlySet<UpgradeAction['do']> = new Set(['wait-for-gate', 'save-copies']);

/** Follows planned steps one after the other, each with what people may order meanwhile. */
export class FollowSteps {
  readonly #parts: Following;
  readonly #of: OfPlan;
  #phase: 'running' | 'going-back' = 'running';
  #proposal: Proposal | undefined;
  /** Merged last: what the cluster shall show until the next one, and pods are made of. */
  #merged: Proposal | undefined;
  #changed = false;
  /** The gates that follow the present step with nothing between. */
  #next: readonly StepRecord[] = [];
  /** Those of them that the look before has answered already: they passed. */
  readonly #passed = new Map<StepRecord, GateReading>();

  constructor(parts: Following) {
    this.#parts = parts;
    const { cluster, hash, kind } = parts.plan;
    this.#of = { cluster, hash, kind };
  }

  /** Whether anything was changed that a way back has to undo. */
  get changed(): boolean {
    return this.#changed;
  }

  /** A pull request that is not merged yet. */
  get proposal(): Proposal | undefined {
    return this.#proposal;
  }

  /** @throws Aborted when somebody orders the way back, Ended when nobody decides in time. */
  async all(steps: readonly StepRecord[], phase: 'running' | 'going-back'): Promise<void> {
    this.#phase = phase;
    if (phase === 'going-back') this.#merged = undefined;
    this.#parts.record.enter(phase);
    this.#passed.clear();
    for (const [index, step] of steps.entries()) {
      // Nobody looked while it stood there.
      if (this.#parts.orders.pauseAsked) this.#passed.clear();
      await this.#parts.stages.boundary(step, phase);
      this.#next = gatesAt(steps.slice(index + 1));
      await this.#follow(step);
    }
  }

  async #follow(step: StepRecord): Promise<void> {
    const { record, stages, plan, orders } = this.#parts;
    for (;;) {
      record.began(step);
      try {
        await this.#assertLease();
        const done = await this.#run(step);
        if (done !== 'failed')
          return record.closed(step, done === 'skipped' ? 'skipped' : 'done', typeof done === 'object' ? done.result : undefined);
      } catch (error) {
        if (error instanceof Aborted || error instanceof Ended || isCancellation(error)) throw error;
        record.failed(step, error);
      }
      if (orders.abortAsked && this.#phase === 'running') throw new Aborted('aborted');
      step.state = 'failed';
      if ((await stages.decision(step, this.#phase, plan)) === 'skip') return record.closed(step, 'skipped');
    }
  }

  async #assertLease(): Promise<void> {
    const { lost } = this.#parts.lease;
    if (lost === undefined) return;
    const { plan, lease } = this.#parts;
    const name = plan.steps.flatMap(({ action }) => (action.do === 'take-probe-lease' ? [action.lease] : []))[0];
    if (name !== undefined) await lease.take(name);
  }

  async #run(current: StepRecord): Promise<'done' | 'failed' | 'skipped' | { readonly result: string }> {
    const { acting, plan, lease, record } = this.#parts;
    const of = this.#of;
    const { step } = current;
    const { action } = step;
    const text = summaryOf(current);
    if (!HARMLESS.has(action.do)) this.#changed = true;
    switch (action.do) {
      case 'wait-for-gate':
        return this.#gate(current, action);
      case 'save-copies': {
        const { place, files } = await this.#orStop(() => longUpgradeStep(text).saveCopies(acting, of, action.members));
        return { result: `${files.length} files in ${place}` };
      }
      case 'patch-template':
        return action.way === 'gitops'
          ? this.#propose(step, action)
          : this.#plain(() => upgradeStep(text).patchTemplate(acting, of, action));
      case 'recreate-statefulset':
        return this.#plain(() => upgradeStep(text).recreateStatefulSet(acting, of, action));
      case 'set-update-strategy':
        return this.#plain(() => upgradeStep(text).setUpdateStrategy(acting, of, action));
      case 'evacuate-member':
        return this.#plain(() => longUpgradeStep(text).evacuateMember(acting, of, action.member));
      case 'restore-member':
        return this.#plain(() => longUpgradeStep(text).restoreMember(acting, of, action.member));
      case 'take-probe-lease':
        return this.#plain(() => lease.take(action.lease));
      case 'release-probe-lease':
        return this.#plain(() => lease.release(action.lease));
      case 'delete-pods': {
        const { pods, members } = action;
        const [build, quorum] =
          this.#phase === 'running' ? ([plan.target.build, plan.quorum] as const) : ([plan.before.build, 'no-margin'] as const);
        const { nodes } = plan.aims[this.#phase === 'running' ? 'target' : 'before'];
        const deletion = { pods, members, nodes, build, quorum, ...this.#ofRepository() };
        record.goesAway(members);
        return this.#plain(() => upgradeStep(text).deletePods(acting, of, deletion));
      }
    }
  }

  async #plain(run: () => Promise<void>): Promise<'done'> {
    await this.#orStop(run);
    return 'done';
  }

  async #orStop<T>(run: () => Promise<T>): Promise<T> {
    const { orders } = this.#parts;
    const given = await interruptible(run, () => orders.abortAsked && this.#phase === 'running');
    if (given === 'stopped') throw new Aborted('aborted');
    return given as T;
  }

  async #propose(step: PlannedStep, change: TemplateChange): Promise<'done' | 'failed' | 'skipped' | { readonly result: string }> {
    const { acting, plan, mergeSeconds } = this.#parts;
    const summary = `Pull request for ${plan.cluster}: ${change.build.image}`;
    this.#merged = undefined;
    const propose = () => upgradeStep(summary).proposeTemplate(acting, plan, change, step.id);
    // Not cut off by an abort: a pull request that nobody knows of would stay open.
    const proposal = patched('a-proposal-is-not-cut-off') ? await CancellationScope.nonCancellable(propose) : await this.#orStop(propose);
    this.#proposal = proposal;
    const passed = await this.#watch(mergeSeconds, (watch) =>
      watching(mergeSeconds * 1000)(`Wait for ${proposal.url} to be merged`).watchProposal(acting, this.#of, proposal, {
        ...watch,
        settleSeconds: 0,
      }),
    );
    if (passed !== 'done') return passed;
    this.#proposal = undefined;
    this.#merged = proposal;
    return { result: proposal.url };
  }

  async #gate(step: StepRecord, wait: Wait): Promise<'done' | 'failed' | 'skipped'> {
    const { acting, plan, record } = this.#parts;
    const { gate, members, aim, deadlineSeconds, settleSeconds } = wait;
    const answered = this.#passed.get(step);
    this.#passed.delete(step);
    if (answered) {
      record.read(step, answered);
      return 'done';
    }
    // Of a merged change each gate asks the repository, too.
    const next = this.#next.length > 0 && !this.#merged && patched(ONE_LOOK) ? this.#next : [];
    const also = next.flatMap(({ step: { action } }) =>
      action.do === 'wait-for-gate' ? [{ call: { gate: action.gate, members: action.members }, aim: plan.aims[action.aim] }] : [],
    );
    return this.#watch(deadlineSeconds, async (watch) => {
      const reading = await watching(deadlineSeconds * 1000)(summaryOf(step)).watchGate(acting, plan.cluster, {
        ...watch,
        call: { gate, members },
        aim: plan.aims[aim],
        settleSeconds,
        ...this.#ofRepository(),
        ...(also.length > 0 ? { also } : {}),
      });
      this.#answered(next, reading);
      return reading;
    });
  }

  /** One after the other until one has not passed: that one and those after it are looked at when it is their turn. */
  #answered(next: readonly StepRecord[], { also = [], outcome: own, ...reading }: GateReading): void {
    if (own.is !== 'passed') return;
    const until = also.findIndex(({ is }) => is !== 'passed');
    for (const [index, outcome] of also.slice(0, until < 0 ? also.length : until).entries()) {
      const step = next[index];
      if (step) this.#passed.set(step, { ...reading, outcome, readings: 1 });
    }
  }

  #ofRepository(): { readonly proposal?: Proposal } {
    return this.#merged ? { proposal: this.#merged } : {};
  }

  async #watch(seconds: number, look: (watch: Look) => Promise<GateReading>): Promise<'done' | 'failed' | 'skipped'> {
    const { record, orders, stages, plan } = this.#parts;
    const step = record.steps.findLast(({ state }) => state === 'running');
    if (!step) throw ApplicationFailure.nonRetryable('no step is running');
    const deadline = new Date(Date.now() + seconds * 1000).toISOString();
    let knownReason = '';
    let passingSince: string | undefined;
    for (let looks = 0; ; looks++) {
      stages.gate(step, this.#phase, deadline, plan);
      const returnAfterSeconds = Math.min(FIRST_LOOK_SECONDS * 2 ** looks, LONGEST_LOOK_SECONDS);
      const returnOn = looks < CHANGES ? 'change' : 'outcome';
      const stop = () => orders.skipAsked(step) || (orders.abortAsked && this.#phase === 'running');
      const reading = await interruptible(() => look({ deadline, knownReason, returnAfterSeconds, returnOn, passingSince }), stop);
      if (reading !== 'stopped') {
        record.read(step, reading);
        if (reading.outcome.is === 'passed') return 'done';
      }
      if (orders.abortAsked && this.#phase === 'running') throw new Aborted('aborted');
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
}

/** Those at the beginning that one look decides: volumes have to stay settled, and are measured. */
function gatesAt(steps: readonly StepRecord[]): StepRecord[] {
  const end = steps.findIndex(({ step: { action } }) => action.do !== 'wait-for-gate' || action.gate === 'volumes-settled');
  return steps.slice(0, end < 0 ? steps.length : end);
}

/** Of an activity, as Temporal UI shows it: the step of the plan, and what is done. */
function summaryOf({ step, text, way }: StepRecord): string {
  return `${way === 'back' ? 'back ' : ''}${step.id}: ${text}`;
}

interface Look {
  readonly deadline: string;
  readonly knownReason: string;
  readonly returnAfterSeconds: number;
  readonly returnOn: 'change' | 'outcome';
  readonly passingSince: string | undefined;
}
