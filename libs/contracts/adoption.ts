import type { ErrorCode } from './error-codes.js';
import type { PortForward, Requester } from './operations.js';

/** In place of a webspace's name in the id of an operation on all of them. */
export const ALL_WEBSPACES = 'all';

/** Takes over every webspace that the original made, or says what that would change. */
export interface AdoptWebspacesInput {
  readonly operationId: string;
  readonly requestedBy: Requester;
  readonly dryRun: boolean;
  /** Webspaces up to this name are done; empty at the beginning. */
  readonly after: string;
  /** Of the runs before, when there were too many webspaces for one. */
  readonly soFar?: AdoptionTotals;
}

export interface AdoptionTotals {
  readonly converted: number;
  readonly failed: readonly AdoptionFailure[];
}

export interface AdoptionFailure {
  readonly name: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What the adoption of one webspace would come to. */
export interface AdoptionEntry {
  readonly name: string;
  /** Without a user name when the identity service names none that can be a host name. */
  readonly owner?: { readonly id: string; readonly username?: string };
  readonly domains: readonly string[];
  readonly ports: readonly PortForward[];
  /** What of it another webspace holds, or an older one has first claim to. */
  readonly conflicts: readonly string[];
  /** What is not taken over as the original wrote it. */
  readonly warnings: readonly string[];
  /** Why it cannot be adopted. */
  readonly problem?: string;
}

export interface AdoptionPlan {
  /** Webspaces of the original that are not converted yet. */
  readonly total: number;
  readonly webspaces: readonly AdoptionEntry[];
  /** To ask for the rest with; absent on the last page. */
  readonly next?: string;
  readonly leftovers: AdoptionLeftovers;
}

/** Kubernetes objects of the original, which are not ours to remove. */
export interface AdoptionLeftovers {
  /** In our own namespace, which is the only one that can be seen. */
  readonly objects: readonly string[];
  /** What an operator runs, in the namespace of the original, once it is stopped. */
  readonly command: string;
}

export interface AdoptWebspaceInput {
  readonly name: string;
  readonly operationId: string;
}

export interface AdoptWebspaceResult {
  readonly name: string;
  readonly uid: string;
  /** False when it was one of ours already. */
  readonly converted: boolean;
  readonly phase: string;
}
