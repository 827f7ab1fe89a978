import { type Client, WithStartWorkflowOperation, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import type { Workflow } from '@temporalio/common';
import { WORKFLOW_TYPES } from '#libs/contracts/operations.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import { resourceIdOf } from './describe.js';
import { isDeadline, isOutage } from './errors.js';
import type { MilestoneOptions, OperationHandle, Operations, Outcome, StartRequest } from './operations.js';
import { startOptionsOf } from './start-options.js';

export interface RunUntilTools {
  readonly client: Client;
  call<T>(name: string, timeoutMs: number, run: () => Promise<T>): Promise<T>;
  readonly callTimeoutMs: number;
  ping(): Promise<unknown>;
  readonly start: Operations['start'];
  readonly result: Operations['result'];
}

/** Starts an operation, or joins it, and waits for the answer of one of its updates. */
export async function runUntil<T>(tools: RunUntilTools, request: StartRequest, options: MilestoneOptions): Promise<Outcome<T>> {
  const { workflowId, workflowIdReusePolicy } = startOptionsOf(request);
  const deadline = Date.now() + options.timeoutMs;
  if (workflowIdReusePolicy === 'ALLOW_DUPLICATE') return await joinUntil(tools, request, options, deadline);

  // The first call is a short one, so that an outage is found out at once. Without a key one call then both starts and waits.
  const handle: OperationHandle = options.updateId === undefined ? { id: workflowId, workflowId } : await tools.start(request);
  if (options.updateId === undefined && !options.checked) await tools.ping();
  const wait = () =>
    options.updateId === undefined ? sendWithStart<T>(tools, request, options, deadline) : send<T>(tools, handle, options, deadline);
  try {
    return { status: 'completed', result: await wait(), id: handle.id };
  } catch (error) {
    if (isOver(error, deadline)) return { status: 'running', id: handle.id };
    if (!hasEnded(error) && !isOutage(error)) throw error;
    return await tools.result<T>(handle, { timeoutMs: Math.max(1, deadline - Date.now()) }).catch((later: unknown) => {
      // Nothing was started: what stopped that is the news.
      throw isPlatformError(later, 'NOT_FOUND') && later.cause instanceof WorkflowNotFoundError ? error : later;
    });
  }
}

/** An operation that every equal request joins: its id names many runs, and the next one begins when the last has ended. */
async function joinUntil<T>(tools: RunUntilTools, request: StartRequest, options: MilestoneOptions, deadline: number): Promise<Outcome<T>> {
  const { workflowId } = startOptionsOf(request);
  // While no worker runs the update has no answer, which must not look like Temporal being away; a millisecond well spent.
  if (!options.checked) await tools.ping();
  const recorded = await recordedAnswer<T>(tools, workflowId, options.updateId);
  if (recorded) return recorded;
  try {
    const once = () => sendWithStart<T>(tools, request, options, deadline);
    const result = await once().catch((error: unknown) => {
      // The run it was sent to ended at that moment; the next call begins a new one.
      if (hasEnded(error)) return once();
      throw error;
    });
    return { status: 'completed', result, id: workflowId };
  } catch (error) {
    if (!isOver(error, deadline)) throw await withOperation(tools, workflowId, error);
    const { runId } = await tools.call('describe', tools.callTimeoutMs, () => tools.client.workflow.getHandle(workflowId).describe());
    return { status: 'running', id: resourceIdOf(workflowId, runId) ?? workflowId };
  }
}

/** The error of a run with `details.operation`, so that it can be looked up; as it is when there is no run, or nobody who could tell. */
async function withOperation({ client, call, callTimeoutMs }: RunUntilTools, workflowId: string, error: unknown): Promise<unknown> {
  const nobodyThere: boolean = isOutage(error);
  if (nobodyThere || !isPlatformError(error)) return error;
  try {
    const { runId } = await call('describe', callTimeoutMs, () => client.workflow.getHandle(workflowId).describe());
    const details = { ...error.details, operation: resourceIdOf(workflowId, runId) ?? workflowId };
    return new PlatformError(error.code, error.message, { details, cause: error.cause });
  } catch {
    return error;
  }
}

function sendWithStart<T>(
  { client, call }: RunUntilTools,
  request: StartRequest,
  { update, updateId }: MilestoneOptions,
  deadline: number,
): Promise<T> {
  const startOptions = { ...startOptionsOf(request), workflowIdConflictPolicy: 'USE_EXISTING' } as const;
  return call('update', deadline - Date.now(), () =>
    client.workflow.executeUpdateWithStart<Workflow, T, []>(update, {
      startWorkflowOperation: new WithStartWorkflowOperation<Workflow>(WORKFLOW_TYPES[request.kind], startOptions),
      ...(updateId === undefined ? {} : { updateId }),
    }),
  );
}

function send<T>(
  { client, call }: RunUntilTools,
  handle: OperationHandle,
  { update, updateId }: MilestoneOptions,
  deadline: number,
): Promise<T> {
  const options = updateId === undefined ? {} : { updateId };
  return call('update', deadline - Date.now(), () =>
    client.workflow.getHandle(handle.workflowId, handle.runId).executeUpdate<T, []>(update, options),
  );
}

/** The answer that an update of this id got, when the latest run of that workflow has it. */
async function recordedAnswer<T>(
  { client, call, callTimeoutMs }: RunUntilTools,
  workflowId: string,
  updateId: string | undefined,
): Promise<Outcome<T> | undefined> {
  if (updateId === undefined) return undefined;
  try {
    const result = await call('recorded', callTimeoutMs, () => client.workflow.getHandle(workflowId).getUpdateHandle<T>(updateId).result());
    return { status: 'completed', result, id: workflowId };
  } catch (error) {
    // Not known, or not answered yet: the update with this id is sent, which the server joins to the first one.
    if (isPlatformError(error, 'NOT_FOUND') || isPlatformError(error, 'PROTOCOL') || (isPlatformError(error) && isDeadline(error.cause)))
      return undefined;
    throw error;
  }
}

/** Whether the wait is over, and nothing worse. */
function isOver(error: unknown, deadline: number): boolean {
  return isOutage(error) && (isDeadline(error.cause) || Date.now() >= deadline);
}

/** Whether the run could take no update because it has ended: then its result is the answer. */
function hasEnded(error: unknown): boolean {
  return (
    error instanceof WorkflowExecutionAlreadyStartedError ||
    (isPlatformError(error, 'NOT_FOUND') && error.cause instanceof WorkflowNotFoundError)
  );
}
