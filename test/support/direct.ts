import { randomUUID } from 'node:crypto';
import { type Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import type { Lab } from '#lab/harness.js';
import { waitFor } from '#lab/wait.js';
import { TASK_QUEUE, workflowIdOf } from '#libs/contracts/ids.js';
import type { CreateWebspaceInput, CreationExtras, OperationKind, SweepResult, WebspaceChange } from '#libs/contracts/operations.js';
import { createTemporalClient } from '#libs/temporal/connection.js';
import { createOperations } from '#libs/temporal/create-operations.js';
import type { OperationHandle, Operations } from '#libs/temporal/operations.js';

/** A member of tests, without an account: operations are started beside the API. */
export interface Member {
  readonly id: string;
  readonly username: string;
  /** Of the webspace. */
  readonly name: string;
}

export function member(number: number): Member {
  return { id: String(number), username: `m${number}`, name: `ws-u${number}` };
}

export interface Started extends OperationHandle {
  readonly kind: OperationKind;
  readonly name: string;
  /** Of a creation. */
  readonly uid?: string;
  readonly startedAt: number;
}

export type Outcome =
  | { readonly is: 'completed'; readonly result: unknown }
  | { readonly is: 'failed' | 'cancelled' | 'terminated'; readonly code: string; readonly message: string };

const REQUESTED_BY = { subject: 'test', username: 'test' };

/** Starts operations as the API does, with ids known beforehand, and waits for them through outages of Temporal. */
export class Direct {
  readonly client: Client;
  readonly operations: Operations;

  constructor(lab: Lab) {
    const { client, connection } = createTemporalClient({ address: lab.temporalAddress, namespace: 'default', uiUrl: '' });
    this.client = client;
    this.operations = createOperations({ client, connection, uiUrl: 'http://unused', callTimeoutMs: 10_000, queryTimeoutMs: 5_000 });
  }

  create(
    who: Member,
    options: { boot?: boolean; image?: string; operationId?: string; uid?: string; extras?: CreationExtras } = {},
  ): Promise<Started> {
    const { boot = false, image = 'hello', operationId = randomUUID(), uid = randomUUID(), extras } = options;
    const owner = { id: who.id, username: who.username };
    const input: CreateWebspaceInput = {
      name: who.name,
      operationId,
      uid,
      owner,
      requestedBy: REQUESTED_BY,
      image,
      boot,
      ...(extras ? { extras } : {}),
    };
    return this.#start('create', who, operationId, input, uid);
  }

  /** Any other operation. */
  run(kind: Exclude<OperationKind, 'create'>, who: Member, operationId: string = randomUUID()): Promise<Started> {
    const input = { name: who.name, operationId, requestedBy: REQUESTED_BY, reason: 'test' };
    return this.#start(kind, who, operationId, input);
  }

  change(who: Member, change: WebspaceChange, operationId: string = randomUUID()): Promise<Started> {
    return this.#start('change', who, operationId, { name: who.name, operationId, requestedBy: REQUESTED_BY, change });
  }

  async #start(kind: OperationKind, who: Member, operationId: string, input: object, uid?: string): Promise<Started> {
    const startedAt = Date.now();
    const summary = `${kind} ${who.name}, asked by a test`;
    const request = { kind, name: who.name, operationId, input, requestedBy: REQUESTED_BY, owner: who.id, summary };
    const handle = await this.operations.start(request);
    return { ...handle, kind, name: who.name, startedAt, ...(uid === undefined ? {} : { uid }) };
  }

  /** How it ended, however often Temporal was away meanwhile. */
  outcome({ workflowId, runId }: Pick<OperationHandle, 'workflowId' | 'runId'>, timeoutMs: number): Promise<Outcome> {
    return waitFor(
      `the end of ${workflowId}`,
      async () => {
        try {
          const result: unknown = await this.client.connection.withDeadline(Date.now() + 10_000, () =>
            this.client.workflow.getHandle(workflowId, runId).result(),
          );
          return { is: 'completed', result } as const;
        } catch (error) {
          if (error instanceof WorkflowFailedError) return outcomeOf(error);
          if (error instanceof WorkflowNotFoundError) return { is: 'terminated', code: 'NOT_FOUND', message: error.message } as const;
          throw error;
        }
      },
      { timeoutMs, intervalMs: 100 },
    );
  }

  async cancel({ workflowId, runId }: Pick<OperationHandle, 'workflowId' | 'runId'>): Promise<void> {
    await ignoreEnded(this.client.workflow.getHandle(workflowId, runId).cancel());
  }

  async terminate({ workflowId, runId }: Pick<OperationHandle, 'workflowId' | 'runId'>): Promise<void> {
    await ignoreEnded(this.client.workflow.getHandle(workflowId, runId).terminate('by a test'));
  }

  /** One whole sweep, beginning now. */
  sweep(): Promise<SweepResult> {
    return this.client.workflow.execute('sweep', { workflowId: `sweep-test-${randomUUID()}`, taskQueue: TASK_QUEUE });
  }

  workflowIdOf(kind: OperationKind, who: Member, operationId: string): string {
    return workflowIdOf(kind, who.name, operationId);
  }

  close(): Promise<void> {
    return this.operations.close();
  }
}

async function ignoreEnded(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

function outcomeOf({ cause }: WorkflowFailedError): Outcome {
  const message = cause?.message ?? '';
  if (cause instanceof CancelledFailure) return { is: 'cancelled', code: 'CANCELLED', message };
  if (cause instanceof TerminatedFailure) return { is: 'terminated', code: 'TERMINATED', message };
  return { is: 'failed', code: cause instanceof ApplicationFailure ? (cause.type ?? 'none') : 'none', message };
}
