import { defineQuery, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { type OperationProgress, PROGRESS_QUERY, type Requester, type StepProgress } from '../../libs/contracts/operations.js';
import type { GateReading } from '../../libs/contracts/upgrade-activities.js';
import {
  type AuditEntry,
  type MemberRow,
  UPGRADE_QUERY,
  type UpgradeInput,
  type UpgradePhase,
  type UpgradeStepView,
  type UpgradeUpdate,
  type UpgradeView,
  type UpgradeWait,
} from '../../libs/contracts/upgrades.js';
import type { PlannedStep } from '../../libs/domain/upgrade/actions.js';
import type { GateName } from '../../libs/domain/upgrade/gates.js';
import type { Planned, UpgradePlan } from '../../libs/domain/upgrade/plan.js';
import { reasonOf } from '../shared/failures.js';
import { detailsOf } from './details.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export type StepRecord = Mutable<UpgradeStepView>;
/** Everything that was done before there was a plan, and after its end: a name and a sentence. */
type OtherStep = Mutable<StepProgress>;

/** From the deletion of a member's pod until it was seen to serve again. ISO 8601. */
export interface Away {
  readonly from: string;
  until?: string;
}

const STATES = {
  planned: 'running',
  running: 'running',
  done: 'done',
  failed: 'failed',
  skipped: 'done',
  'not-needed': 'cancelled',
} as const;

/** All that is known of an upgrade: answered to queries, shown as the workflow's current details, and in the end its report. */
export class UpgradeRecord {
  readonly #input: UpgradeInput;
  readonly #startedAt = now();
  readonly #audit: AuditEntry[] = [];
  readonly #others: OtherStep[] = [];
  #phase: UpgradePhase = 'planning';
  #plans: readonly UpgradePlan[] = [];
  #approved: UpgradePlan | undefined;
  #differences: readonly string[] = [];
  #refusals: UpgradeView['refusals'] = [];
  #steps: StepRecord[] = [];
  #wait: UpgradeWait | undefined;
  #table: readonly MemberRow[] = [];
  #endedAt: string | undefined;
  readonly #away = new Map<string, Away[]>();

  /** Registers the queries; to be made before the workflow's first await. */
  constructor(input: UpgradeInput) {
    this.#input = input;
    this.noted(input.requestedBy, 'requested', input.image);
    setHandler(defineQuery<UpgradeView>(UPGRADE_QUERY), () => this.view());
    setHandler(defineQuery<OperationProgress>(PROGRESS_QUERY), () => this.#progress());
  }

  get phase(): UpgradePhase {
    return this.#phase;
  }

  get plans(): readonly UpgradePlan[] {
    return this.#plans;
  }

  get approved(): UpgradePlan | undefined {
    return this.#approved;
  }

  get steps(): readonly StepRecord[] {
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

  planned(planned: Planned, table: readonly MemberRow[], differences: readonly string[] = []): void {
    this.#plans = planned.is === 'plans' ? planned.plans : [];
    this.#refusals = planned.is === 'refused' ? planned.refusals : [];
    this.#differences = differences;
    this.#table = table;
    this.#show();
  }

  approve(plan: UpgradePlan): void {
    this.#approved = plan;
    this.#plans = [plan];
    this.#differences = [];
    this.append(plan.steps, 'forth');
  }

  /** What is still planned is not needed any more; these are. */
  append(steps: readonly PlannedStep[], way: StepRecord['way']): StepRecord[] {
    for (const step of this.#steps) if (step.state === 'planned') step.state = 'not-needed';
    const records = steps.map((step): StepRecord => ({ step, text: step.text, way, state: 'planned' }));
    this.#steps.push(...records);
    this.#show();
    return records;
  }

  differs(sentences: readonly string[]): void {
    this.#differences = sentences;
    this.#show();
  }

  began(step: StepRecord): void {
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
    this.#show();
  }

  read(step: StepRecord, { outcome, table, readings, writes, at }: GateReading): void {
    step.outcome = outcome;
    if (writes !== undefined) step.writes = writes;
    step.readings = (step.readings ?? 0) + readings;
    if (table.length > 0) this.#table = table;
    for (const { member, answers } of table) {
      const last = this.#away.get(member)?.at(-1);
      if (last && last.until === undefined && answers === 'serving') last.until = at;
    }
    this.#show();
  }

  /** The pods of these members are being deleted from now on. */
  goesAway(members: readonly string[]): void {
    for (const member of members) {
      const times = this.#away.get(member) ?? [];
      // A deletion that is tried again is the same absence.
      if (times.length === 0 || times.at(-1)?.until !== undefined) times.push({ from: now() });
      this.#away.set(member, times);
    }
  }

  get away(): ReadonlyMap<string, readonly Away[]> {
    return this.#away;
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

  view(): UpgradeView {
    const { cluster, operationId, image, environment, instances } = this.#input;
    return {
      cluster,
      operationId,
      request: { image, ...(environment ? { environment } : {}), ...(instances ? { instances } : {}) },
      phase: this.#phase,
      plans: this.#plans,
      ...(this.#approved ? { approvedHash: this.#approved.hash } : {}),
      differences: this.#differences,
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
          ...(error ? { error: { ...error } as never } : {}),
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
    setCurrentDetails(detailsOf(this.view(), this.#others));
  }
}

/** The name of the gate that the step is, if it is one; a template by pull request waits for its merge. */
export function gateOf({ step }: StepRecord): GateName | 'change-merged' | undefined {
  const { action } = step;
  if (action.do === 'wait-for-gate') return action.gate;
  return action.do === 'patch-template' && action.way === 'gitops' ? 'change-merged' : undefined;
}

function now(): string {
  return new Date().toISOString();
}
