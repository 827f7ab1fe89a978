import type { Client, WorkflowExecutionDescription, WorkflowExecutionInfo } from '@temporalio/client';
import {
  decodeArrayFromPayloads,
  decodeOptionalFailureToOptionalError,
} from '@temporalio/common/lib/internal-non-workflow/codec-helpers.js';
import { operationResourceId, parseWorkflowId, SEARCH_ATTRIBUTES } from '#libs/contracts/ids.js';
import { OPERATION_KINDS, type OperationKind, type Requester } from '#libs/contracts/operations.js';
import type { WaitDetails } from '#libs/contracts/progress.js';
import { fromFailure } from './errors.js';
import type { OperationStatus, OperationSummary, OperationWait } from './operations.js';

const STATUS: Readonly<Record<string, OperationStatus>> = {
  RUNNING: 'running',
  PAUSED: 'running',
  COMPLETED: 'completed',
  CONTINUED_AS_NEW: 'completed',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'timed-out',
};

/** Names of Temporal's visibility statuses for ours. */
export const VISIBILITY_STATUS: Readonly<Record<OperationStatus, string>> = {
  running: 'Running',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Canceled',
  terminated: 'Terminated',
  'timed-out': 'TimedOut',
};

/** The API's id of one run: `<kind>:<name>:<operation id>`, which is the workflow id, or the run's for kinds that are joined. */
export function resourceIdOf(workflowId: string, runId: string): string | undefined {
  const parsed = parseWorkflowId(workflowId);
  if (!parsed || !(OPERATION_KINDS as readonly string[]).includes(parsed.kind)) return undefined;
  return workflowId.split(':').length === 3 ? workflowId : operationResourceId(parsed.kind, parsed.name, runId);
}

/** Undefined for a workflow that is no operation on a webspace. */
export function summaryOf(
  info: Omit<WorkflowExecutionInfo, 'raw'>,
  links: (workflowId: string, runId: string) => string,
): OperationSummary | undefined {
  const id = resourceIdOf(info.workflowId, info.runId);
  if (id === undefined) return undefined;
  const { kind, name } = parseWorkflowId(info.workflowId) as { kind: OperationKind; name: string };
  const owner = info.searchAttributes[SEARCH_ATTRIBUTES.owner]?.[0];
  const requestedBy = requesterOf(info.memo?.['requestedBy']);
  return {
    id,
    kind,
    webspace: name,
    status: STATUS[info.status.name] ?? 'running',
    ...(owner === undefined ? {} : { owner: String(owner) }),
    ...(requestedBy ? { requestedBy } : {}),
    startedAt: info.startTime.toISOString(),
    ...(info.closeTime ? { closedAt: info.closeTime.toISOString() } : {}),
    links: { temporalUi: links(info.workflowId, info.runId) },
  };
}

function requesterOf(value: unknown): Requester | undefined {
  const { subject, username } = (value ?? {}) as Partial<Requester>;
  return typeof subject === 'string' && typeof username === 'string' ? { subject, username } : undefined;
}

type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/** What each activity that is under way waits for: its heartbeat details say why and until when, Temporal counts the attempts. */
export async function waitsOf(client: Client, description: WorkflowExecutionDescription): Promise<OperationWait[]> {
  return await Promise.all((description.raw.pendingActivities ?? []).map((activity) => waitOf(client, activity)));
}

async function waitOf(client: Client, activity: PendingActivity): Promise<OperationWait> {
  const converter = client.options.loadedDataConverter;
  const [details] = (await decodeArrayFromPayloads(converter, activity.heartbeatDetails?.payloads ?? [])) as [WaitDetails | undefined];
  const failure = await decodeOptionalFailureToOptionalError(converter, activity.lastFailure);
  const lastError = failure && fromFailure(failure);
  const next = activity.nextAttemptScheduleTime?.seconds;
  return {
    activity: activity.activityType?.name ?? 'unknown',
    ...(details?.waitingFor === undefined ? {} : { reason: details.waitingFor }),
    ...(details?.deadline === undefined ? {} : { deadline: details.deadline }),
    attempts: activity.attempt ?? 1,
    ...(next ? { nextAttemptAt: new Date(Number(next) * 1000).toISOString() } : {}),
    ...(lastError ? { lastError: { code: lastError.code, message: lastError.message } } : {}),
  };
}
