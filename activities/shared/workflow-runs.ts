import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { fromTemporal } from '#libs/temporal/errors.js';
import type { Holder } from './guard.js';

export type RunState = { readonly is: 'open' } | { readonly is: 'closed'; readonly closedAtMs: number } | { readonly is: 'not-found' };

const DEADLINE_MS = 5_000;

/** What the locks need to know of Temporal: whether exactly one run is open, and how to end it. */
export class WorkflowRuns {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Describes by both ids, never by visibility. @throws UNAVAILABLE when Temporal does not answer: then the run counts as open. */
  async describe(run: Holder): Promise<RunState> {
    return this.#ask(async () => {
      try {
        const { status, closeTime } = await this.#client.workflow.getHandle(run.workflowId, run.runId).describe();
        if (status.name === 'RUNNING' || status.name === 'PAUSED') return { is: 'open' };
        return { is: 'closed', closedAtMs: closeTime?.getTime() ?? Date.now() };
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return { is: 'not-found' };
        throw error;
      }
    });
  }

  /** What a run that is closed has ended with. @throws its own error, not to be tried again; NOT_FOUND when nobody knows it any more. */
  async result<T>(run: Holder): Promise<T> {
    try {
      const handle = this.#client.workflow.getHandle(run.workflowId, run.runId, { followRuns: false });
      return (await this.#client.connection.withDeadline(Date.now() + DEADLINE_MS, () => handle.result())) as T;
    } catch (error) {
      const ours = fromTemporal(error);
      throw isPlatformError(ours) ? ours.final() : ours;
    }
  }

  /** Whether the latest run of a workflow id was cancelled. */
  async wasCancelled(workflowId: string): Promise<boolean> {
    return this.#ask(async () => {
      try {
        return (await this.#client.workflow.getHandle(workflowId).describe()).status.name === 'CANCELLED';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    });
  }

  /** Whether the latest run of a workflow id is open. */
  async isOpen(workflowId: string): Promise<boolean> {
    return (await this.describe({ workflowId, runId: '' })).is === 'open';
  }

  /** Asks a run to end, undoing what it did. Nothing happens when it has ended. */
  async cancel(workflowId: string, runId?: string): Promise<void> {
    await this.#ask(async () => {
      await ignoreMissing(this.#client.workflow.getHandle(workflowId, runId).cancel());
    });
  }

  /** Ends a run at once; it undoes nothing. */
  async terminate(run: Holder, reason: string): Promise<void> {
    await this.#ask(async () => {
      await ignoreMissing(this.#client.workflow.getHandle(run.workflowId, run.runId).terminate(reason));
    });
  }

  async #ask<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await this.#client.connection.withDeadline(Date.now() + DEADLINE_MS, call);
    } catch (cause) {
      throw new PlatformError('UNAVAILABLE', `Temporal does not answer: ${messageOf(cause)}`, { cause });
    }
  }
}

async function ignoreMissing(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
