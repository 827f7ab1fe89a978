import type { ErrorCode } from './error-codes.js';

/** Query of every workflow: its steps. Answers {@link OperationProgress}. */
export const PROGRESS_QUERY = 'progress';

export type StepState = 'running' | 'done' | 'failed' | 'cancelled' | 'undone' | 'undo-failed';

export interface StepProgress {
  readonly name: string;
  readonly summary: string;
  readonly state: StepState;
  /** ISO 8601 in UTC. */
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

export interface OperationProgress {
  readonly steps: readonly StepProgress[];
  /** What the workflow itself waits for; what its activities wait for is in their heartbeats. */
  readonly waiting?: { readonly reason: string; readonly deadline: string };
}

/** Heartbeat details of an activity that waits: why, until when, and what a retry must adopt. */
export interface WaitDetails {
  readonly waitingFor?: string;
  /** ISO 8601 in UTC. */
  readonly deadline?: string;
  readonly lxdOperation?: string;
}
