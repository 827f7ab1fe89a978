import { ActivityFailure, ApplicationFailure, CancelledFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import { type ErrorCode, isErrorCode } from '../../libs/contracts/error-codes.js';

export interface Reason {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: unknown[];
}

/** The one place where an activity's failure is read: its cause carries our code. */
export function reasonOf(error: unknown): Reason {
  if (isCancellation(error)) return { code: 'CANCELLED', message: 'The operation was cancelled.', details: [] };
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof TimeoutFailure) {
    const last = cause.cause === undefined ? '' : ` Last: ${reasonOf(cause.cause).message}`;
    return { code: 'UNAVAILABLE', message: `A step took longer than it may (${cause.timeoutType}).${last}`, details: [] };
  }
  if (cause instanceof ApplicationFailure && isErrorCode(cause.type)) {
    return { code: cause.type, message: cause.message, details: [...(cause.details ?? [])] };
  }
  return { code: 'OPERATION_FAILED', message: cause instanceof Error ? cause.message : String(cause), details: [] };
}

/** Whether a deletion of pods failed before it had deleted one, as it tells. */
export function deletedNone(error: unknown): boolean {
  const [first] = reasonOf(error).details as readonly ({ readonly deleted?: unknown } | undefined)[];
  return first?.deleted === 'none';
}

/** The failure of a workflow: our code as its type, the sentence, and what could not be undone. */
export function failureOf(error: unknown, undoErrors: readonly string[]): Error {
  if (isCancellation(error) && undoErrors.length === 0)
    return new CancelledFailure('Cancelled; everything that was begun has been undone.');
  const { code, message, details } = reasonOf(error);
  const undo = undoErrors.length === 0 ? '' : ` Could not be undone, the next sweep will: ${undoErrors.join('; ')}`;
  return ApplicationFailure.create({
    type: code,
    message: `${message}${undo}`,
    nonRetryable: true,
    details,
    ...(error instanceof Error ? { cause: error } : {}),
  });
}
