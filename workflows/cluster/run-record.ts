import { defineQuery, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { Requester } from '../../libs/contracts/operations.js';
import { type OperationProgress, PROGRESS_QUERY, type StepProgress } from '../../libs/contracts/progress.js';
import type { GateReading } from '../../libs/contracts/upgrade-activities.js';
import type {
  AuditEntry,
  MemberRow,
  RunPlan,
  RunStep,
  RunStepView,
  RunView,
  UpgradePhase,
  UpgradeUpdate,
  UpgradeWait,
} from '../../libs/contracts/upgrades.js';
import { deletedNone, reasonOf } from '../shared/failures.js';
import { Absences } from './absences.js';
import { detailsOf } from './details.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export type StepRecord<S extends RunStep = RunStep> = Mutable<RunStepView<S>>;
type StepOf<P extends RunPlan> = P['steps'][number];
/** Everything that was done before there was a plan, and after its end: a name and a sentence. */
type OtherStep = Mutable<StepProgress>;

/** What the record is of. */
export interface Recorded<P extends RunPlan, R> {
  readonly cluster: string;
  readonly operationId: string;
  readonly requestedBy: Requester;
  readonly request: R;
  /** What was asked for, in a word: in the audit, and after `to` in the details. */
  readonly wanted: string;
  /** Name of the query that answers its view. */
  readonly query: string;
  /** A plan as Temporal UI shows it. */
  planLines(plan: P): string[];
  /** How an image of the table is called beside a plan. */
  imageName(image: string, plan: P | undefined): string;
}

/** Plans to choose from, or why there is none. */
export interface ShownPlans<P extends RunPlan> {
  readonly plans: readonly P[];
  readonly refusals: RunView<P, unknown>['refusals'];
}

const STATES = {
  planned: 'running',
  running: 'running',
  done: 'done',
  failed: 'failed',
  skipped: 'done',
  'not-needed': 'cancelled',
} as const;

/** All that is known of an upgrade or a scaling: answered to queries, shown as the workflow's current details, and in the end its report. */
export class RunRecord<P extends RunPlan, R> {
  readonly #of: Recorded<P, R>;
  readonly #startedAt = now();
  readonly #audit: AuditEntry[] = [];
  readonly #others: OtherStep[] = [];
  #phase: UpgradePhase = 'planning';
  #plans: readonly P[] = [];
  #approved: P | undefined;
  #differences: readonly string[] = [];
  readonly #notes: string[] = [];
  #refusals: ShownPlans<P>['refusals'] = [];
  #steps: StepRecord<StepOf<P>>[] = [];
  #wait: UpgradeWait | undefined;
  #table: readonly MemberRow[] = [];
  #endedAt: string | undefined;
  readonly #absences = new Absences();
  /** Failed, and had not done anything yet. */
  readonly #untouched = new Set<StepRecord>();

  /** Registers the queries; to be made before the workflow's first await. */
  constructor(of: Recorded<P, R>) {
    this.#of = of;
    this.noted(of.requestedBy, 'requested', of.wanted);
    setHandler(defineQuery<RunView<P, R>>(of.query), () => this.view());
    setHandler(defineQuery<OperationProgress>(PROGRESS_QUERY), () => this.#progress());
  }

  get phase(): UpgradePhase {
    return this.#phase;
  }

  /** Whether what is waited for can be answered with it. */
  offers(update: UpgradeUpdate): boolean {
    return this.#wait?.updates.some(({ name }) => name === update) ?? false;
  }

  get plans(): readonly P[] {
    return this.#plans;
  }

  get approved(): P | undefined {
    return this.#approved;
  }

  get steps(): readonly StepRecord<StepOf<P>>[] {
    return this.#steps;
  }

  enter(phase: UpgradePhase, wait?: UpgradeWait): void {
    this.#phase = phase;
    this.#wait = wait;
    this.#show();
  }

  ended(phase: UpgradePhase): void {
    this.#endedAt = now();
    for (const step of this.#steps) if (step.state === 'planned') step.state = 'not-needed';
    this.enter(phase);
  }

  noted(by: Requester, did: 'requested' | UpgradeUpdate, about: string): void {
    this.#audit.push({ at: now(), by, did, about });
  }

  planned({ plans, refusals }: ShownPlans<P>, table: readonly MemberRow[], differences: readonly string[] = []): void {
    this.#plans = plans;
    this.#refusals = refusals;
    this.#differences = differences;
    this.#table = table;
    this.#show();
  }

  approve(plan: P): void {
    this.#approved = plan;
    this.#plans = [plan];
    this.#differences = [];
    this.append(plan.steps, 'forth');
  }

  /** What is still planned is not needed any more; these are. */
  append(steps: readonly StepOf<P>[], way: StepRecord['way']): StepRecord<StepOf<P>>[] {
    for (const step of this.#steps) if (step.state === 'planned') step.state = 'not-needed';
    const records = steps.map((step): StepRecord<StepOf<P>> => ({ step, text: step.text, way, state: 'planned' }));
    this.#steps.push(...records);
    this.#show();
    return records;
  }

  /** What was under way is not, when the way back begins. */
  cutOff(): void {
    for (const step of this.#steps) {
      if (step.state !== 'running') continue;
      step.state = 'not-needed';
      step.endedAt = now();
    }
    this.#show();
  }

  note(sentence: string): void {
    this.#notes.push(sentence);
    this.#show();
  }

  began(step: StepRecord): void {
    this.#untouched.delete(step);
    step.state = 'running';
    step.startedAt ??= now();
    delete step.endedAt;
    delete step.error;
    this.#show();
  }

  closed(step: StepRecord, state: 'done' | 'skipped', result?: string): void {
    step.state = state;
    step.endedAt = now();
    if (result !== undefined) step.result = result;
    this.#show();
  }

  failed(step: StepRecord, error: unknown): void {
    const { code, message } = reasonOf(error);
    step.state = 'failed';
    step.endedAt = now();
    step.error = { code, message };
    if (deletedNone(error)) this.#untouched.add(step);
    this.#show();
  }

  /** Whether the step behind which there is no way back has begun, and not failed before it did anything. */
  get pastReturn(): boolean {
    const point = this.#approved?.pointOfNoReturn;
    const step = point && this.#steps.find((one) => one.way === 'forth' && one.step.id === point.step);
    if (!step || step.state === 'planned') return false;
    return step.state !== 'failed' || !this.#untouched.has(step);
  }

  read(step: StepRecord, { outcome, table, readings, writes, at }: GateReading): void {
    step.outcome = outcome;
    if (writes !== undefined) step.writes = writes;
    step.readings = (step.readings ?? 0) + readings;
    if (table.length > 0) this.#table = table;
    this.#absences.seen(table, at);
    this.#show();
  }

  get absences(): Absences {
    return this.#absences;
  }

  /** A step that is no part of a plan. */
  async other<T>(name: string, summary: string, run: () => Promise<T>): Promise<T> {
    const step: OtherStep = { name, summary, state: 'running', startedAt: now() };
    this.#others.push(step);
    this.#show();
    try {
      const result = await run();
      step.state = 'done';
      return result;
    } catch (error) {
      const { code, message } = reasonOf(error);
      step.state = 'failed';
      step.error = { code, message };
      throw error;
    } finally {
      step.endedAt = now();
      this.#show();
    }
  }

  view(): RunView<P, R> {
    const { cluster, operationId, request } = this.#of;
    return {
      cluster,
      operationId,
      request,
      phase: this.#phase,
      plans: this.#plans,
      ...(this.#approved ? { approvedHash: this.#approved.hash } : {}),
      differences: this.#differences,
      ...(this.#notes.length > 0 ? { notes: [...this.#notes] } : {}),
      refusals: this.#refusals,
      steps: this.#steps.map((step) => ({ ...step })),
      ...(this.#wait ? { wait: this.#wait } : {}),
      table: this.#table,
      audit: [...this.#audit],
      startedAt: this.#startedAt,
      ...(this.#endedAt === undefined ? {} : { endedAt: this.#endedAt }),
    };
  }

  #progress(): OperationProgress {
    const planned = this.#steps.flatMap((step): StepProgress[] => {
      const { startedAt, endedAt, error, state, text } = step;
      if (startedAt === undefined) return [];
      const ended = endedAt === undefined ? {} : { endedAt };
      return [
        {
          name: step.step.id,
          summary: text,
          state: STATES[state],
          startedAt,
          ...ended,
          ...(error ? { error } : {}),
        },
      ];
    });
    const wait = this.#wait;
    return {
      steps: [...this.#others.map((step) => ({ ...step })), ...planned],
      ...(wait ? { waiting: { reason: wait.for, deadline: wait.deadline } } : {}),
    };
  }

  #show(): void {
    setCurrentDetails(detailsOf(this.#of, this.view(), this.#others));
  }
}

/** The name of the gate that the step is, if it is one; a template by pull request waits for its merge. */
export function gateOf({ step }: StepRecord): string | undefined {
  const { action } = step;
  if (action.do === 'wait-for-gate') return action.gate;
  return action.do === 'patch-template' && action.way === 'gitops' ? 'change-merged' : undefined;
}

function now(): string {
  return new Date().toISOString();
}
