import { type Client, ScheduleAlreadyRunning, ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { SEARCH_ATTRIBUTES, SWEEP_SCHEDULE_ID, TASK_QUEUE, workflowIdOf } from '#libs/contracts/ids.js';
import { LOOK_AGAIN_SIGNAL, WORKFLOW_TYPES } from '#libs/contracts/operations.js';
import type { Scheduled } from './schedules.js';

const DEADLINE_MS = 10_000;
const GRPC_ALREADY_EXISTS = 6;
/** temporal.api.enums.v1.IndexedValueType; the package of the enum has no named exports for ESM. */
const INDEXED_VALUE_TYPE_KEYWORD = 2;
const webspaceKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.webspace, 'KEYWORD');
const kindKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.kind, 'KEYWORD');

/** What the worker itself asks of Temporal: its Schedules, and operations that events call for. */
export class TemporalTasks {
  constructor(
    readonly client: Client,
    readonly namespace: string,
    readonly schedules: readonly Scheduled[],
  ) {}

  /** Search attributes and the Schedules exist; safe at any time, also after Temporal lost its database. */
  async ensureInstalled(): Promise<void> {
    await this.#call(async () => {
      const searchAttributes = Object.fromEntries(Object.values(SEARCH_ATTRIBUTES).map((name) => [name, INDEXED_VALUE_TYPE_KEYWORD]));
      await this.client.connection.operatorService
        .addSearchAttributes({ namespace: this.namespace, searchAttributes })
        .catch(ignoreExisting);
      await this.#ensureSchedules();
    });
  }

  async #ensureSchedules(): Promise<void> {
    for (const scheduled of this.schedules) await this.#ensureSchedule(scheduled);
  }

  async #ensureSchedule({ id: scheduleId, workflowType, everySeconds, summary }: Scheduled): Promise<void> {
    if (everySeconds === undefined) return this.#removeSchedule(scheduleId);
    const every = everySeconds * 1000;
    const spec = { intervals: [{ every }] };
    const action = { type: 'startWorkflow' as const, workflowType, workflowId: scheduleId, taskQueue: TASK_QUEUE, staticSummary: summary };
    const policies = { overlap: ScheduleOverlapPolicy.SKIP };
    try {
      await this.client.schedule.create({ scheduleId, spec, action, policies });
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      const handle = this.client.schedule.getHandle(scheduleId);
      const current = await handle.describe();
      if (current.spec.intervals?.[0]?.every === every) return;
      await handle.update((previous) => ({ ...previous, spec, policies }));
    }
  }

  async #removeSchedule(scheduleId: string): Promise<void> {
    try {
      await this.client.schedule.getHandle(scheduleId).delete();
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    }
  }

  /** One sweep now; after the one that runs, if one does. */
  async sweepNow(): Promise<void> {
    await this.#call(async () => {
      try {
        await this.client.schedule.getHandle(SWEEP_SCHEDULE_ID).trigger(ScheduleOverlapPolicy.BUFFER_ONE);
      } catch (error) {
        if (!(error instanceof ScheduleNotFoundError)) throw error;
        await this.#ensureSchedules();
        await this.client.schedule.getHandle(SWEEP_SCHEDULE_ID).trigger(ScheduleOverlapPolicy.BUFFER_ONE);
      }
    });
  }

  /** One more look at a webspace, by the run under way or a new one. */
  async reconcile(name: string): Promise<void> {
    await this.#call(async () => {
      await this.client.workflow.signalWithStart(WORKFLOW_TYPES.reconcile, {
        workflowId: workflowIdOf('reconcile', name, ''),
        taskQueue: TASK_QUEUE,
        args: [{ name, reason: 'event' }],
        signal: LOOK_AGAIN_SIGNAL,
        staticSummary: `reconcile ${name}, asked by an LXD event`,
        typedSearchAttributes: new TypedSearchAttributes([
          { key: webspaceKey, value: name },
          { key: kindKey, value: 'reconcile' },
        ]),
      });
    });
  }

  #call<T>(call: () => Promise<T>): Promise<T> {
    return this.client.connection.withDeadline(Date.now() + DEADLINE_MS, call);
  }
}

function ignoreExisting(error: unknown): void {
  if ((error as { code?: unknown }).code !== GRPC_ALREADY_EXISTS) throw error;
}
