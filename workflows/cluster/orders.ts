import { ApplicationFailure, condition, defineUpdate, patched, setHandler } from '@temporalio/workflow';
import type { Requester } from '../../libs/contracts/operations.js';
import {
  type ApproveUpgrade,
  type RunPlan,
  type SkipGate,
  UPGRADE_UPDATES,
  type UpgradeAnswer,
  type UpgradeOrder,
  type UpgradePhase,
  type UpgradeUpdate,
} from '../../libs/contracts/upgrades.js';
import { gateOf, type RunRecord, type StepRecord } from './run-record.js';

export interface Approving<P extends RunPlan> {
  readonly plan: P;
  readonly by: Requester;
}

export type RunWord = 'upgrade' | 'scaling';

/** What became of an approval when the cluster was looked at once more. */
type Confirmed = { readonly is: 'begins' } | { readonly is: 'refused'; readonly why: string };

const ON_THE_WAY: readonly UpgradePhase[] = ['running', 'going-back', 'failed-step', 'paused'];

/** The operator's hand: Updates whose validators refuse in words before anything is recorded, and what was ordered until it is followed. */
export class Orders<P extends RunPlan, R = unknown> {
  readonly #record: RunRecord<P, R>;
  readonly #requestedBy: Requester;
  readonly #what: RunWord;
  /** Whoever asked for it may not approve it; known once the settings are read. */
  twoPersons = false;
  #approving: Approving<P> | undefined;
  #confirmed: Confirmed | undefined;
  #pause: UpgradeOrder | undefined;
  #abort: UpgradeOrder | undefined;
  #retry: UpgradeOrder | undefined;
  #skip: SkipGate | undefined;

  /** Registers the Updates; to be made before the workflow's first await. */
  constructor(record: RunRecord<P, R>, requestedBy: Requester, what: RunWord) {
    this.#record = record;
    this.#requestedBy = requestedBy;
    this.#what = what;
    register<ApproveUpgrade>(
      'approve',
      (order) => this.#mayApprove(order),
      (order) => this.#approve(order),
    );
    register<UpgradeOrder>(
      'pause',
      () => this.#mayPause(),
      (order) => this.#askPause(order),
    );
    register<UpgradeOrder>(
      'resume',
      () => this.#mayResume(),
      (order) => this.#resume(order),
    );
    register<UpgradeOrder>(
      'retry',
      () => this.#mayRetry(),
      (order) => this.#askRetry(order),
    );
    register<SkipGate>(
      'skip',
      (order) => this.#maySkip(order),
      (order) => this.#askSkip(order),
    );
    register<UpgradeOrder>(
      'abort',
      () => this.#mayAbort(),
      (order) => this.#askAbort(order),
    );
  }

  get approving(): Approving<P> | undefined {
    return this.#approving;
  }

  get pauseAsked(): boolean {
    return this.#pause !== undefined;
  }

  get abortAsked(): boolean {
    return this.#abort !== undefined;
  }

  skipAsked(step: StepRecord): boolean {
    return this.#skip !== undefined && this.#skip.gate === gateOf(step);
  }

  get retryAsked(): boolean {
    return this.#retry !== undefined;
  }

  /** Answers who waits for the approval's outcome. */
  confirm(confirmed: Confirmed): void {
    this.#confirmed = confirmed;
    this.#approving = undefined;
  }

  /** What was ordered for one step, or to go back, is over with it. */
  followed(...orders: readonly ('retry' | 'skip' | 'abort')[]): void {
    if (orders.includes('retry')) this.#retry = undefined;
    if (orders.includes('skip')) this.#skip = undefined;
    if (orders.includes('abort')) this.#abort = undefined;
  }

  /** A cancellation is an abort that nobody signed; of what has changed something it is only noted where an abort would be refused. */
  cancelled(changed: boolean): void {
    const by = { subject: '', username: 'a cancellation' };
    const refused = changed && this.#record.pastReturn && patched('no-cancellation-behind-the-point-of-no-return');
    if (refused) this.#record.noted(by, 'abort', 'not followed: there is no way back any more');
    else this.#askAbort({ by });
  }

  /** A skip that came as its gate passed, or with an abort, is of no other gate. */
  stepEnded(): void {
    if (this.#skip && patched('a-skip-is-of-one-step')) this.#skip = undefined;
  }

  #mayApprove({ hash, acceptPointOfNoReturn, by }: ApproveUpgrade): void {
    const { phase, plans, approved } = this.#record;
    if (approved) refuse(`The ${this.#what} is approved already, by hash ${approved.hash}.`);
    if (phase !== 'awaiting-approval') refuse(`The ${this.#what} does not wait for an approval: it is ${phase}.`);
    if (this.#approving) refuse(`${this.#approving.by.username} is just approving it.`);
    if (this.twoPersons && by.subject === this.#requestedBy.subject) {
      refuse(`${by.username} asked for this ${this.#what}; somebody else has to approve it.`);
    }
    const plan = plans.find((one) => one.hash === hash);
    if (!plan) {
      refuse(`No plan has the hash "${hash}". Those to be approved now: ${plans.map((one) => `${one.kind} ${one.hash}`).join(', ')}.`);
    }
    if (plan.pointOfNoReturn && acceptPointOfNoReturn !== true) {
      refuse(
        `From step ${plan.pointOfNoReturn.step} on there is no way back (${plan.pointOfNoReturn.reason}): acceptPointOfNoReturn must be true to approve this.`,
      );
    }
  }

  async #approve({ hash, by, acceptPointOfNoReturn }: ApproveUpgrade): Promise<string> {
    const plan = this.#record.plans.find((one) => one.hash === hash);
    if (!plan) throw refusal('The plan has just been replaced by a newer one.');
    this.#confirmed = undefined;
    this.#approving = { plan, by };
    this.#record.noted(by, 'approve', `${plan.kind} ${hash}${acceptPointOfNoReturn ? ', with its point of no return' : ''}`);
    await condition(() => this.#confirmed !== undefined);
    const confirmed = this.#confirmed as Confirmed | undefined;
    if (confirmed?.is === 'refused') throw refusal(confirmed.why);
    return `Approved: the ${plan.kind} plan begins.`;
  }

  #mayPause(): void {
    const { phase } = this.#record;
    if (this.#pause) refuse(`A pause was ordered already by ${this.#pause.by.username}.`);
    if (phase !== 'running' && phase !== 'going-back') refuse(`There is nothing to pause: the ${this.#what} is ${phase}.`);
    if (!this.#nextPause()) refuse('No step that is left may be paused before.');
  }

  #askPause(order: UpgradeOrder): string {
    this.#pause = order;
    const next = this.#nextPause();
    this.#record.noted(order.by, 'pause', order.reason ?? '');
    return `It stands still before step ${next?.step.id ?? ''} (${next?.text ?? ''}).`;
  }

  #nextPause(): StepRecord | undefined {
    return this.#record.steps.find(({ state, step }) => state === 'planned' && step.pause === 'allowed');
  }

  #mayResume(): void {
    if (!this.#pause) refuse(`The ${this.#what} is not paused: it is ${this.#record.phase}.`);
  }

  #resume(order: UpgradeOrder): string {
    this.#pause = undefined;
    this.#record.noted(order.by, 'resume', order.reason ?? '');
    return 'It goes on.';
  }

  #mayRetry(): void {
    if (this.#record.phase !== 'failed-step') refuse(`There is nothing to retry: the ${this.#what} is ${this.#record.phase}.`);
  }

  #askRetry(order: UpgradeOrder): string {
    this.#retry = order;
    const step = this.#record.steps.findLast(({ state }) => state === 'failed');
    this.#record.noted(order.by, 'retry', step?.step.id ?? '');
    return 'It is tried again.';
  }

  #maySkip({ gate, reason }: SkipGate): void {
    if (typeof reason !== 'string' || reason.trim() === '') refuse('reason must say why the gate is skipped; it goes into the report.');
    const step = this.#current();
    const present = step && gateOf(step);
    if (!step || present === undefined) refuse(`No gate is waited for just now: the ${this.#what} is ${this.#record.phase}.`);
    if (this.#record.phase === 'failed-step' && !this.#record.offers('skip')) refuse('There is nothing to skip just now.');
    if (present !== gate) refuse(`The gate "${gate}" is not waited for; the present one is ${present}.`);
    if (present === 'change-merged') refuse('A pull request that is not merged cannot be skipped: merge it, retry, or abort.');
  }

  #askSkip(order: SkipGate): string {
    this.#skip = order;
    const step = this.#current();
    this.#record.noted(order.by, 'skip', `${order.gate} of step ${step?.step.id ?? ''}: ${order.reason}`);
    return `The gate ${order.gate} of step ${step?.step.id ?? ''} is skipped.`;
  }

  #mayAbort(): void {
    const { phase, approved, pastReturn, steps } = this.#record;
    if (this.#abort) refuse('An abort was ordered already.');
    if (phase === 'going-back' || steps.some(({ way }) => way === 'back')) refuse('It is on the way back already.');
    if (phase !== 'awaiting-approval' && phase !== 'planning' && !ON_THE_WAY.includes(phase))
      refuse(`There is nothing to abort: the ${this.#what} is ${phase}.`);
    const point = approved?.pointOfNoReturn;
    if (point && pastReturn) {
      refuse(
        `There is no way back any more: step ${point.step} has begun, and ${point.reason}. Go on to the end; see the runbook for the saved copies.`,
      );
    }
  }

  #askAbort(order: UpgradeOrder): string {
    this.#abort = order;
    // It would stand still on the way back.
    if (this.#pause && patched('an-abort-ends-a-pause')) this.#pause = undefined;
    this.#record.noted(order.by, 'abort', order.reason ?? '');
    return this.#record.approved ? 'The way back begins.' : 'It ends; nothing was changed.';
  }

  #current(): StepRecord | undefined {
    return this.#record.steps.findLast(({ state }) => state === 'running' || state === 'failed');
  }
}

function register<A extends { readonly by: Requester }>(
  name: UpgradeUpdate,
  validate: (argument: A) => void,
  follow: (argument: A) => Promise<string> | string,
): void {
  setHandler(defineUpdate<UpgradeAnswer, [A]>(UPGRADE_UPDATES[name]), async (argument: A) => ({ answer: await follow(argument) }), {
    validator: (argument: A) => {
      const by: Partial<Requester> | undefined = (argument as Partial<A> | undefined)?.by;
      if (typeof by?.subject !== 'string' || typeof by.username !== 'string' || by.username === '') {
        refuse(`by must say who orders this: {"by": {"subject": "<account id>", "username": "<name>"}, …}.`);
      }
      validate(argument);
    },
  });
}

function refusal(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'CONFLICT', message, nonRetryable: true });
}

function refuse(message: string): never {
  throw refusal(message);
}
