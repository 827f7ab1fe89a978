import { Client, Connection } from '@temporalio/client';
import type { Lab } from '#lab/harness.js';
import { waitFor } from '#lab/wait.js';
import { SWEEP_SCHEDULE_ID, TASK_QUEUE } from '#libs/contracts/ids.js';
import { type SweepResult, type VerifyDomainsResult, WORKFLOW_TYPES } from '#libs/contracts/operations.js';

/** Sweeps asked for by a test. */
export class Sweeps {
  #client: Promise<Client> | undefined;
  #count = 0;

  constructor(private readonly lab: Lab) {}

  /** One sweep from its start to its end. */
  async run(): Promise<SweepResult> {
    const { workflow } = await this.#connected();
    const workflowId = `sweep-asked-by-test-${Date.now()}-${++this.#count}`;
    return workflow.execute<() => Promise<SweepResult>>(WORKFLOW_TYPES.sweep, { workflowId, taskQueue: TASK_QUEUE, args: [] });
  }

  /** One round of asking for the proofs of all custom domains. */
  async verifyDomains(): Promise<VerifyDomainsResult> {
    const { workflow } = await this.#connected();
    const workflowId = `verify-domains-asked-by-test-${Date.now()}-${++this.#count}`;
    const options = { workflowId, taskQueue: TASK_QUEUE, args: [] as [] };
    return workflow.execute<() => Promise<VerifyDomainsResult>>(WORKFLOW_TYPES.verifyDomains, options);
  }

  /** Waits until no sweep and no reconcile runs: what events asked for is done. An event is followed up only a moment later, so it looks twice. */
  async quiet(): Promise<void> {
    const { workflow } = await this.#connected();
    let looks = 0;
    await waitFor(
      'Temporal to be quiet',
      async () => {
        for await (const _ of workflow.list({ query: 'ExecutionStatus = "Running"' })) {
          looks = 0;
          return false;
        }
        return ++looks === 2;
      },
      { timeoutMs: 60_000, intervalMs: 200 },
    );
  }

  /** Since when the Schedule of the sweep exists; undefined when it does not. */
  async scheduledSince(): Promise<Date | undefined> {
    const { schedule } = await this.#connected();
    try {
      return (await schedule.getHandle(SWEEP_SCHEDULE_ID).describe()).info.createdAt;
    } catch {
      // Not there, or Temporal is not: no Schedule either way.
      return undefined;
    }
  }

  async close(): Promise<void> {
    await (await this.#client)?.connection.close();
    this.#client = undefined;
  }

  #connected(): Promise<Client> {
    this.#client ??= Connection.connect({ address: this.lab.temporalAddress }).then((connection) => new Client({ connection }));
    return this.#client;
  }
}
