import type { ErrorCode } from '#libs/contracts/error-codes.js';
import type { OperationKind, Requester } from '#libs/contracts/operations.js';
import type { StepProgress } from '#libs/contracts/progress.js';

/** What an API asks of Temporal, and no more. Every call has a deadline and throws PlatformErrors only. */
export interface Operations {
  /**
   * Starts an operation, or attaches to the one of the same id, running or ended.
   * @throws PlatformError UNAVAILABLE, INVALID_INPUT when the same id was used for another body.
   */
  start(request: StartRequest): Promise<OperationHandle>;
  /** Waits for the outcome; `running` when the time is over. @throws the operation's own error; CANCELLED; UNAVAILABLE when Temporal stays away. */
  result<T>(handle: OperationHandle, options: { readonly timeoutMs: number }): Promise<Outcome<T>>;
  /**
   * Starts an operation, or joins it, and returns at a milestone of it: when the update of that name is answered. `updateId` (with a caller's own
   * key) makes a repeat return the recorded answer. @throws as `start` and `result`.
   */
  runUntil<T>(request: StartRequest, options: MilestoneOptions): Promise<Outcome<T>>;
  /** What Temporal itself knows of an operation; asks no worker. @throws PlatformError NOT_FOUND. */
  peek(id: string): Promise<OperationSummary>;
  /** The operation in full. @throws PlatformError NOT_FOUND. */
  get(id: string): Promise<OperationDetail>;
  list(filter: OperationFilter): Promise<OperationPage>;
  /**
   * Orders an operation to do something, by one of its updates; `running` when it has not answered in time, though it may have been heard.
   * @throws PlatformError NOT_FOUND; CONFLICT or what else the operation refuses it with, in its words; UNAVAILABLE.
   */
  update<T>(id: string, order: OperationOrder): Promise<Outcome<T>>;
  /** What a worker tells of an operation, running or ended. @throws PlatformError NOT_FOUND, UNAVAILABLE when no worker answers. */
  query<T>(id: string, query: string): Promise<T>;
  /** The result of a workflow that only looks; joins the one that is looking. @throws its error; UNAVAILABLE when none has answered in time. */
  look<T>(look: LookRequest): Promise<T>;
  /** Looks at the sources of images in a repository, once for each delivery. */
  lookAtSources(request: { readonly deliveryId: string; readonly repository: string }): Promise<void>;
  /** Asks an operation to stop and undo. @throws PlatformError NOT_FOUND. */
  cancel(id: string): Promise<void>;
  /** @throws PlatformError UNAVAILABLE when Temporal does not answer. */
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface StartRequest {
  readonly kind: OperationKind;
  readonly name: string;
  readonly operationId: string;
  readonly input: object;
  readonly requestedBy: Requester;
  /** Account id of the webspace's owner. */
  readonly owner: string;
  /** One line for Temporal UI: what, for whom, asked by whom. Cut at 200 bytes. */
  readonly summary: string;
  /** Present when the caller named the operation (`Idempotency-Key`): tells whether a repeat has the same body. */
  readonly body?: BodyMark;
}

export interface MilestoneOptions {
  /** `STARTED_UPDATE` of a boot, `CREATED_UPDATE` of a creation. */
  readonly update: string;
  readonly timeoutMs: number;
  readonly updateId?: string;
  /** `check` has just answered: the first call need not be a short one to find out an outage. */
  readonly checked?: boolean;
}

export interface OperationOrder {
  readonly update: string;
  readonly argument: object;
  /** A usual call's deadline when absent. */
  readonly timeoutMs?: number;
}

export interface LookRequest {
  readonly workflow: string;
  readonly workflowId: string;
  readonly args: readonly string[];
  readonly summary: string;
  readonly timeoutMs: number;
}

export interface BodyMark {
  /** Kept with the operation. */
  readonly fingerprint: string;
  matches(fingerprint: string): boolean;
}

export interface OperationHandle {
  /** The id under which the API shows the operation. */
  readonly id: string;
  readonly workflowId: string;
  /** The latest run when absent. */
  readonly runId?: string;
}

export type Outcome<T> =
  | { readonly status: 'completed'; readonly result: T; readonly id: string }
  | { readonly status: 'running'; readonly id: string };

export const OPERATION_STATUSES = ['running', 'completed', 'failed', 'cancelled', 'terminated', 'timed-out'] as const;
export type OperationStatus = (typeof OPERATION_STATUSES)[number];

export interface OperationSummary {
  readonly id: string;
  readonly kind: OperationKind;
  readonly webspace: string;
  readonly status: OperationStatus;
  /** Account id of the webspace's owner, when whoever started it knew. */
  readonly owner?: string;
  readonly requestedBy?: Requester;
  readonly startedAt: string;
  readonly closedAt?: string;
  readonly links: { readonly temporalUi: string };
}

export interface OperationWait {
  /** Absent when it is the workflow itself that waits. */
  readonly activity?: string;
  readonly reason?: string;
  readonly deadline?: string;
  readonly attempts: number;
  readonly nextAttemptAt?: string;
  readonly lastError?: OperationError;
}

export interface OperationError {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface OperationDetail extends OperationSummary {
  readonly steps?: readonly StepProgress[];
  /** Why there are no steps, e.g. because no worker answers. */
  readonly stepsUnavailable?: string;
  /** What is under way or waited for just now. */
  readonly waits: readonly OperationWait[];
  readonly error?: OperationError;
}

export interface OperationFilter {
  /** Only operations on a webspace of this account: by owner, or by the webspace's name. */
  readonly visibleTo?: { readonly owner: string; readonly webspace: string };
  readonly webspace?: string;
  readonly kind?: OperationKind;
  readonly status?: OperationStatus;
  readonly limit: number;
  readonly cursor?: string;
}

export interface OperationPage {
  readonly operations: readonly OperationSummary[];
  readonly cursor?: string;
}
