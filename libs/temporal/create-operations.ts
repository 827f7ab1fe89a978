import { setTimeout as delay } from 'node:timers/promises';
import { type Client, type Connection, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { parseOperationResourceId, TASK_QUEUE, webhookWorkflowIdOf } from '#libs/contracts/ids.js';
import { WORKFLOW_TYPES } from '#libs/contracts/operations.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import { resourceIdOf } from './describe.js';
import { createOperationReader } from './detail.js';
import { fromTemporal, isDeadline, isOutage } from './errors.js';
import { listOperations } from './list.js';
import { runLook } from './look.js';
import type { OperationHandle, OperationOrder, Operations, Outcome, StartRequest } from './operations.js';
import { runUntil } from './run-until.js';
import { startOptionsOf } from './start-options.js';

export interface OperationsOptions {
  readonly client: Client;
  readonly connection: Connection;
  /** Base URL of Temporal UI. */
  readonly uiUrl: string;
  /** Deadline of one ordinary call. */
  readonly callTimeoutMs: number;
  /** How long a worker may take to answer a query. */
  readonly queryTimeoutMs: number;
  /** Told about every call: its name, its outcome's code (`ok` or an error code), and how long it took. */
  readonly observe?: (call: string, outcome: string, seconds: number) => void;
}

/** How long a wait for a result survives that Temporal is away. */
const OUTAGE_GRACE_MS = 3000;

export function createOperations(options: OperationsOptions): Operations {
  const { client, connection, callTimeoutMs } = options;
  const links = (workflowId: string, runId: string) =>
    `${options.uiUrl.replace(/\/+$/, '')}/namespaces/${client.options.namespace}/workflows/${encodeURIComponent(workflowId)}/${runId}/history`;

  /** Runs one call with a deadline, counts it, and turns what it throws into our error. */
  async function call<T>(name: string, timeoutMs: number, run: () => Promise<T>): Promise<T> {
    const began = performance.now();
    let outcome = 'ok';
    try {
      return await connection.withDeadline(Date.now() + timeoutMs, run);
    } catch (error) {
      const ours = fromTemporal(error);
      outcome = isPlatformError(ours) ? ours.code : 'unknown';
      throw ours;
    } finally {
      options.observe?.(name, outcome, (performance.now() - began) / 1000);
    }
  }

  const reader = createOperationReader({ client, call, links, callTimeoutMs, queryTimeoutMs: options.queryTimeoutMs });
  const ping = () => call('check', callTimeoutMs, () => client.workflowService.describeNamespace({ namespace: client.options.namespace }));

  async function assertSameBody(request: StartRequest, workflowId: string): Promise<string> {
    const description = await call('describe', callTimeoutMs, () => client.workflow.getHandle(workflowId).describe());
    const kept = description.memo?.['bodyHash'];
    if (request.body && typeof kept === 'string' && !request.body.matches(kept)) {
      throw new PlatformError('CONFLICT', 'This Idempotency-Key was already used with another body. Use a new key for a new request.', {
        details: { field: 'Idempotency-Key', operation: resourceIdOf(workflowId, description.runId) },
      });
    }
    return description.runId;
  }

  async function start(request: StartRequest): Promise<OperationHandle> {
    const startOptions = startOptionsOf(request);
    const { workflowId } = startOptions;
    const startedAs = (runId: string): OperationHandle => ({ id: resourceIdOf(workflowId, runId) ?? workflowId, workflowId, runId });
    const runId = await call('start', callTimeoutMs, async () => {
      try {
        return (await client.workflow.start(WORKFLOW_TYPES[request.kind], startOptions)).firstExecutionRunId;
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
        throw error;
      }
    });
    if (runId !== undefined && !request.body) return startedAs(runId);
    return startedAs(await assertSameBody(request, workflowId));
  }

  async function result<T>(handle: OperationHandle, { timeoutMs }: { readonly timeoutMs: number }): Promise<Outcome<T>> {
    const deadline = Date.now() + timeoutMs;
    let awaySince: number | undefined;
    for (;;) {
      try {
        const result = await call('result', deadline - Date.now(), () =>
          client.workflow.getHandle(handle.workflowId, handle.runId).result(),
        );
        return { status: 'completed', result: result as T, id: handle.id };
      } catch (error) {
        if (!isOutage(error)) throw error;
        if (isDeadline(error.cause) || Date.now() >= deadline) return { status: 'running', id: handle.id };
        awaySince ??= Date.now();
        if (Date.now() - awaySince > OUTAGE_GRACE_MS) throw error;
        await delay(200);
      }
    }
  }

  function handleOf(id: string) {
    const ref = parseOperationResourceId(id);
    if (!ref) throw new PlatformError('NOT_FOUND', 'There is no such operation.');
    return client.workflow.getHandle(ref.workflowId, ref.runId);
  }

  return {
    start,
    result,
    runUntil: (request, milestone) => runUntil({ client, call, callTimeoutMs, ping, start, result }, request, milestone),
    peek: reader.peek,
    get: reader.get,
    list: (filter) => call('list', callTimeoutMs, () => listOperations(client, filter, links)),

    async update<T>(id: string, { update, argument, timeoutMs = callTimeoutMs + options.queryTimeoutMs }: OperationOrder) {
      const handle = handleOf(id);
      try {
        const result = await call('update', timeoutMs, () => handle.executeUpdate<T, [object]>(update, { args: [argument] }));
        return { status: 'completed', result, id } as const;
      } catch (error) {
        if (isOutage(error) && isDeadline(error.cause)) return { status: 'running', id } as const;
        throw error;
      }
    },

    async query<T>(id: string, query: string) {
      try {
        return await call('query', options.queryTimeoutMs, () => handleOf(id).query<T>(query));
      } catch (error) {
        if (!isOutage(error)) throw error;
        throw new PlatformError('UNAVAILABLE', 'No worker answers just now.', { cause: error, details: { retryAfterMs: 3000 } });
      }
    },

    look: (request) => runLook({ client, call, callTimeoutMs, result }, request),

    async lookAtSources({ deliveryId, repository }) {
      await call('start', callTimeoutMs, async () => {
        try {
          await client.workflow.start(WORKFLOW_TYPES.watchImageSources, {
            workflowId: webhookWorkflowIdOf(deliveryId),
            taskQueue: TASK_QUEUE,
            args: [{ repository }],
            workflowIdReusePolicy: 'REJECT_DUPLICATE',
            staticSummary: `new versions of ${repository}, told by its webhook`,
          });
        } catch (error) {
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        }
      });
    },

    cancel: async (id) => void (await call('cancel', callTimeoutMs, () => handleOf(id).cancel())),

    check: async () => void (await ping()),
    close: () => connection.close(),
  };
}
