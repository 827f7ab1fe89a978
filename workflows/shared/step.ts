import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  defineQuery,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import type { Busy } from '../../libs/contracts/activities.js';
import { ERROR_TABLE } from '../../libs/contracts/error-codes.js';
import { type OperationProgress, PROGRESS_QUERY, type StepProgress, type StepState } from '../../libs/contracts/progress.js';
import { failureOf, reasonOf } from './failures.js';

export const progressQuery = defineQuery<OperationProgress>(PROGRESS_QUERY);

interface Undo {
  readonly name: string;
  readonly summary: string;
  readonly run: () => Promise<unknown>;
}

type MutableStep = { -readonly [K in keyof StepProgress]: StepProgress[K] };

const MARKS: Record<StepState, string> = { running: '…', done: '✓', failed: '✗', cancelled: '–', undone: '↶', 'undo-failed': '✗' };

/** One operation: its steps as Temporal UI shows them, and what undoes them. */
export class Operation {
  readonly #steps: MutableStep[] = [];
  readonly #undos: Undo[] = [];
  #waiting: { readonly reason: string; readonly deadline: string } | undefined;

  constructor() {
    setHandler(progressQuery, () => ({
      steps: this.#steps.map((step) => ({ ...step })),
      ...(this.#waiting ? { waiting: this.#waiting } : {}),
    }));
  }

  /** Registers what undoes a step; called before the step itself. Newest is undone first. */
  undoBy(name: string, summary: string, run: () => Promise<unknown>): void {
    this.#undos.push({ name, summary, run });
  }

  /** From here on nothing is undone: what was made stays, and the rest is recovered forward. */
  commit(): void {
    this.#undos.length = 0;
  }

  async step<T>(name: string, summary: string, run: () => Promise<T>): Promise<T> {
    const step = this.#begin(name, summary);
    try {
      const result = await run();
      this.#end(step, 'done');
      return result;
    } catch (error) {
      this.#end(step, isCancellation(error) ? 'cancelled' : 'failed', error);
      throw error;
    }
  }

  /** A step that first needs the lock: asks again until it is free, with the reason in the current details. */
  async stepWhenFree<T extends object>(name: string, summary: string, deadlineMs: number, run: () => Promise<T | Busy>): Promise<T> {
    return this.step(name, summary, async () => {
      const until = Date.now() + deadlineMs;
      for (let pauseMs = 25; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
        const outcome = await run();
        if (!('busy' in outcome)) {
          this.#wait(undefined);
          return outcome;
        }
        if (Date.now() >= until) {
          throw ApplicationFailure.create({
            type: 'UNAVAILABLE',
            message: `Another operation on this webspace takes too long: ${outcome.busy}. Try again, or cancel that one.`,
            nonRetryable: true,
            details: [{ retryAfterMs: 5_000 }],
          });
        }
        this.#wait({ reason: outcome.busy, deadline: new Date(until).toISOString() });
        await sleep(pauseMs);
      }
    });
  }

  /** Waits until the check holds, with the reason where people look; false when the deadline came first. */
  async waitFor(reason: string, deadlineMs: number, check: () => boolean): Promise<boolean> {
    this.#wait({ reason, deadline: new Date(Date.now() + deadlineMs).toISOString() });
    try {
      return await condition(check, deadlineMs);
    } finally {
      this.#wait(undefined);
    }
  }

  /** Runs the body; on failure or cancellation undoes what was registered, newest first, and fails with our code. */
  async run<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      // A step whose worker is dead, or whose system is away, cannot confirm its cancellation: it ends with what would else be tried again.
      const cancelled = CancellationScope.current().consideredCancelled && ERROR_TABLE[reasonOf(error).code].retryable;
      const undoErrors = await CancellationScope.nonCancellable(() => this.#undoAll());
      throw failureOf(cancelled ? new CancelledFailure('Cancelled', [], error as Error) : error, undoErrors);
    }
  }

  async #undoAll(): Promise<string[]> {
    const errors: string[] = [];
    for (const undo of this.#undos.reverse()) {
      const step = this.#begin(undo.name, undo.summary);
      try {
        await undo.run();
        this.#end(step, 'undone');
      } catch (error) {
        errors.push(`${undo.name}: ${reasonOf(error).message}`);
        this.#end(step, 'undo-failed', error);
      }
    }
    return errors;
  }

  #begin(name: string, summary: string): MutableStep {
    const step: MutableStep = { name, summary, state: 'running', startedAt: new Date().toISOString() };
    this.#steps.push(step);
    this.#show();
    return step;
  }

  #end(step: MutableStep, state: StepState, error?: unknown): void {
    step.state = state;
    step.endedAt = new Date().toISOString();
    if (error !== undefined) {
      const { code, message } = reasonOf(error);
      step.error = { code, message };
    }
    this.#show();
  }

  #wait(waiting: { readonly reason: string; readonly deadline: string } | undefined): void {
    this.#waiting = waiting;
    this.#show();
  }

  #show(): void {
    const lines = this.#steps.map((step) => {
      const took = step.endedAt === undefined ? 'since' : `${Date.parse(step.endedAt) - Date.parse(step.startedAt)} ms, from`;
      const error = step.error === undefined ? '' : ` **${step.error.code}**: ${step.error.message}`;
      return `- ${MARKS[step.state]} **${step.name}** ${step.summary} (${took} ${step.startedAt.slice(11, 23)})${error}`;
    });
    if (this.#waiting) lines.push('', `Waiting: ${this.#waiting.reason} (until ${this.#waiting.deadline.slice(11, 19)} at the latest)`);
    setCurrentDetails(lines.join('\n'));
  }
}
