import { ApplicationFailure, activityInfo, Context } from '@temporalio/activity';
import type { WaitDetails } from '#libs/contracts/progress.js';
import { PlatformError } from '#libs/errors/platform-error.js';

const HEARTBEAT_MS = 1_000;
/** A refusal by Kubernetes or LXD may be a restart that has not read its rules yet; after this many attempts, some 15 seconds, it counts. */
const REFUSALS_THAT_MAY_PASS = 8;

export interface Holder {
  readonly workflowId: string;
  readonly runId: string;
}

/** One execution of an activity, as its code sees it. */
export interface Call {
  /** Aborted when the operation is cancelled or the worker shuts down; to be handed to every request. */
  readonly signal: AbortSignal;
  readonly me: Holder;
  readonly attempt: number;
  /** How long ago the first attempt was asked for, in milliseconds. */
  sinceMs(): number;
  /** Says in Temporal UI and the API what is waited for, with the next heartbeat. */
  waiting(details: WaitDetails | undefined): void;
}

/**
 * Makes a function an activity: heartbeats every second (a dead worker is noticed, a cancellation arrives, the present wait can be read),
 * and turns our errors into Temporal failures by the one table of codes.
 */
export function guarded<A extends unknown[], R>(run: (call: Call, ...args: A) => Promise<R>): (...args: A) => Promise<R> {
  return async (...args) => {
    const context = Context.current();
    const info = activityInfo();
    let details: WaitDetails = {};
    const timer = setInterval(() => context.heartbeat(details), HEARTBEAT_MS);
    const execution = info.workflowExecution;
    if (!execution) throw new Error('These activities run in workflows only.');
    const call: Call = {
      signal: context.cancellationSignal,
      me: { workflowId: execution.workflowId, runId: execution.runId },
      attempt: info.attempt,
      sinceMs: () => Date.now() - info.scheduledTimestampMs,
      waiting(next) {
        details = next ?? {};
      },
    };
    try {
      return await run(call, ...args);
    } catch (error) {
      if (context.cancellationSignal.aborted) await context.cancelled;
      throw failureOf(error, info.attempt);
    } finally {
      clearInterval(timer);
    }
  };
}

function failureOf(error: unknown, attempt: number): unknown {
  if (!(error instanceof PlatformError)) return error;
  const retryable = error.retryable || (error.code === 'DENIED_UPSTREAM' && attempt < REFUSALS_THAT_MAY_PASS);
  const delay = error.code === 'STALE' ? 10 : error.details.retryAfterMs;
  return ApplicationFailure.create({
    type: error.code,
    message: error.message,
    nonRetryable: !retryable,
    details: [error.details],
    ...(delay === undefined ? {} : { nextRetryDelay: delay }),
    ...(error.cause instanceof Error ? { cause: error.cause } : {}),
  });
}
