import {
  CancelledFailure,
  isGrpcServiceError,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { isErrorCode } from '#libs/contracts/error-codes.js';
import { type ErrorDetails, messageOf, PlatformError } from '#libs/errors/platform-error.js';

/** Codes of gRPC that are told apart here. */
const GRPC = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
};

/** Anything that a call to Temporal throws, as our error. What is not known stays as it is: it is a bug. */
export function fromTemporal(error: unknown): unknown {
  if (error instanceof PlatformError) return error;
  if (error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError) return fromFailure(error.cause ?? error);
  if (error instanceof WorkflowNotFoundError) return new PlatformError('NOT_FOUND', 'There is no such operation.', { cause: error });
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return unavailable(error);
  const code = grpcCodeOf(error);
  if (code === undefined) return error;
  switch (code) {
    case GRPC.RESOURCE_EXHAUSTED:
      return new PlatformError('RATE_LIMITED', 'Temporal asks to slow down. Try again shortly.', {
        cause: error,
        details: { retryAfterMs: 2000 },
      });
    case GRPC.PERMISSION_DENIED:
    case GRPC.UNAUTHENTICATED:
      return new PlatformError('DENIED_UPSTREAM', "Temporal refused the platform's credential.", { cause: error });
    case GRPC.INVALID_ARGUMENT:
    case GRPC.NOT_FOUND:
      return new PlatformError('PROTOCOL', `Temporal refused the request: ${grpcDetailsOf(error)}`, { cause: error });
    default:
      return unavailable(error);
  }
}

/** The failure of a workflow or activity: our error stands somewhere in its chain of causes, with our code as its type. */
export function fromFailure(failure: unknown): PlatformError {
  for (let at: unknown = failure; at instanceof Error; at = at.cause) {
    if (at instanceof ApplicationFailure && isErrorCode(at.type)) {
      return new PlatformError(at.type, at.message, { details: detailsOf(at), cause: failure });
    }
    if (at instanceof CancelledFailure)
      return new PlatformError('CANCELLED', 'The operation was cancelled; what it had done was undone.', { cause: failure });
    if (at instanceof TerminatedFailure) {
      return new PlatformError('CANCELLED', 'The operation was ended by an operator; what it left is cleared up within minutes.', {
        cause: failure,
      });
    }
    if (at instanceof TimeoutFailure && !(at.cause instanceof Error)) {
      return new PlatformError('OPERATION_FAILED', 'The operation ran out of time.', { cause: failure });
    }
  }
  return new PlatformError('OPERATION_FAILED', `The operation failed: ${messageOf(failure)}`, { cause: failure });
}

/** Whether it was Temporal that did not answer, and not the operation that failed with UNAVAILABLE. */
export function isOutage(error: unknown): error is PlatformError {
  if (!(error instanceof PlatformError) || error.code !== 'UNAVAILABLE') return false;
  return grpcCodeOf(error.cause) !== undefined || error.cause instanceof WorkflowUpdateRPCTimeoutOrCancelledError;
}

/** Whether the call ended because its own deadline passed. */
export function isDeadline(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  return grpcCodeOf(error) === GRPC.DEADLINE_EXCEEDED;
}

function unavailable(cause: unknown): PlatformError {
  return new PlatformError('UNAVAILABLE', 'Temporal does not answer, so nothing can be changed just now. Try again shortly.', {
    cause,
    details: { retryAfterMs: 3000 },
  });
}

function grpcCodeOf(error: unknown): number | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (isGrpcServiceError(at)) return at.code;
  return undefined;
}

function grpcDetailsOf(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (isGrpcServiceError(at)) return at.details;
  return messageOf(error);
}

function detailsOf(failure: ApplicationFailure): ErrorDetails {
  const [details] = failure.details ?? [];
  return typeof details === 'object' && details !== null ? (details as ErrorDetails) : {};
}
