import type { Client } from '@temporalio/client';
import { type OperationRef, parseOperationResourceId } from '#libs/contracts/ids.js';
import { OPERATION_KINDS } from '#libs/contracts/operations.js';
import { type OperationProgress, PROGRESS_QUERY } from '#libs/contracts/progress.js';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { summaryOf, waitsOf } from './describe.js';
import { isDeadline } from './errors.js';
import type { OperationDetail, OperationError, OperationSummary } from './operations.js';

type Call = <T>(name: string, timeoutMs: number, run: () => Promise<T>) => Promise<T>;

export interface ReaderOptions {
  readonly client: Client;
  readonly call: Call;
  readonly links: (workflowId: string, runId: string) => string;
  readonly callTimeoutMs: number;
  readonly queryTimeoutMs: number;
}

/** Ended operations do not change any more, so a few are remembered. */
const REMEMBERED = 500;

type Steps = OperationProgress | { readonly stepsUnavailable: string };

/** Reads one operation in full: what Temporal says about it, and its steps, which a worker must tell. */
export function createOperationReader({ client, call, links, callTimeoutMs, queryTimeoutMs }: ReaderOptions) {
  const ended = new Map<string, OperationDetail>();

  async function stepsOf(workflowId: string, runId: string | undefined): Promise<Steps> {
    try {
      const progress = await call('query', queryTimeoutMs, () =>
        client.workflow.getHandle(workflowId, runId).query<OperationProgress>(PROGRESS_QUERY),
      );
      return progress;
    } catch (error) {
      const silent = isPlatformError(error) && (error.code === 'UNAVAILABLE' || isDeadline(error.cause));
      return { stepsUnavailable: silent ? 'No worker answers just now.' : `The worker did not tell: ${messageOf(error)}` };
    }
  }

  async function errorOf(workflowId: string, runId: string): Promise<OperationError | undefined> {
    try {
      await call('result', callTimeoutMs, () => client.workflow.getHandle(workflowId, runId, { followRuns: false }).result());
      return undefined;
    } catch (error) {
      if (!isPlatformError(error)) throw error;
      return { code: error.code, message: error.message };
    }
  }

  async function describe(id: string) {
    const ref = refOf(id);
    const description = await call('describe', callTimeoutMs, () => client.workflow.getHandle(ref.workflowId, ref.runId).describe());
    const summary = summaryOf(description, links);
    if (!summary) throw noSuch(id);
    return { description, summary };
  }

  return {
    peek: async (id: string): Promise<OperationSummary> => ended.get(id) ?? (await describe(id)).summary,

    async get(id: string): Promise<OperationDetail> {
      const remembered = ended.get(id);
      if (remembered) return remembered;
      const ref = refOf(id);
      // Both are waited for, also when one fails: no call may outlive its request, and the connection with it.
      const [described, told] = await Promise.allSettled([describe(id), stepsOf(ref.workflowId, ref.runId)]);
      if (described.status === 'rejected') throw described.reason;
      if (told.status === 'rejected') throw told.reason;
      const { description, summary } = described.value;
      const { waiting, ...steps } = 'steps' in told.value ? told.value : { ...told.value, waiting: undefined };
      const failed = summary.status !== 'running' && summary.status !== 'completed';
      const error = failed ? await errorOf(ref.workflowId, description.runId) : undefined;
      const detail: OperationDetail = {
        ...summary,
        ...steps,
        waits:
          summary.status === 'running' ? [...(waiting ? [{ ...waiting, attempts: 1 }] : []), ...(await waitsOf(client, description))] : [],
        ...(error ? { error } : {}),
      };
      if (summary.status !== 'running' && 'steps' in steps) {
        ended.set(id, detail);
        if (ended.size > REMEMBERED) ended.delete(ended.keys().next().value as string);
      }
      return detail;
    },
  };
}

function refOf(id: string): OperationRef {
  const ref = parseOperationResourceId(id);
  if (!ref || !OPERATION_KINDS.includes(ref.kind)) throw noSuch(id);
  return ref;
}

function noSuch(id: string): PlatformError {
  return new PlatformError('NOT_FOUND', `There is no operation "${id}".`);
}
