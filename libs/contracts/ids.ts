import type { OperationKind } from './operations.js';

/** One task queue for all workflows and activities of webspaces. */
export const TASK_QUEUE = 'webspaces';

/** Id of the Schedule that starts `sweep`. */
export const SWEEP_SCHEDULE_ID = 'sweep';

/** Id of the Schedule that starts `verifyDomains`. */
export const VERIFY_DOMAINS_SCHEDULE_ID = 'verify-domains';

/** Id of the Schedule that starts `accountPolicy`. */
export const ACCOUNTS_SCHEDULE_ID = 'account-policy';

/** Id of the Schedule that starts `idleStop`. */
export const IDLE_STOP_SCHEDULE_ID = 'idle-stop';

/** Id of the Schedule that starts `memoryStop`. */
export const MEMORY_STOP_SCHEDULE_ID = 'memory-stop';

/** Id of the Schedule that starts `watchImageSources`. */
export const IMAGE_SOURCES_SCHEDULE_ID = 'image-sources';

/** Id of the Schedule that starts `sweepClusters`. */
export const SWEEP_CLUSTERS_SCHEDULE_ID = 'sweep-clusters';

/** The look at sources that a webhook asks for: its delivery is sent again with the same id, and starts nothing then. */
export function webhookWorkflowIdOf(deliveryId: string): string {
  return `webhook:${deliveryId}`;
}

/** Typed search attributes, registered as Keyword in the namespace. */
export const SEARCH_ATTRIBUTES = { webspace: 'WebspaceName', owner: 'WebspaceOwner', kind: 'OperationKind' } as const;

/**
 * The workflow ids that are joined instead of repeated: every equal request is the same operation, and its operation id is the run id.
 */
const JOINED: ReadonlySet<OperationKind> = new Set<OperationKind>(['boot', 'reconcile', 'restore']);

export interface WorkflowRef {
  readonly workflowId: string;
  /** Present when the id alone names several runs. */
  readonly runId?: string;
}

/** `create:ws-u12:<operationId>`, or `boot:ws-u12` for a kind that is joined. */
export function workflowIdOf(kind: OperationKind, name: string, operationId: string): string {
  return JOINED.has(kind) ? `${kind}:${name}` : `${kind}:${name}:${operationId}`;
}

/** The id under which the API shows an operation: `<kind>:<name>:<operation id or run id>`. */
export function operationResourceId(kind: OperationKind, name: string, id: string): string {
  return `${kind}:${name}:${id}`;
}

export interface OperationRef extends WorkflowRef {
  readonly kind: OperationKind;
  readonly name: string;
}

/** Reads an operation's resource id back; undefined when it has another form. */
export function parseOperationResourceId(id: string): OperationRef | undefined {
  const match = /^([a-z]+):([a-z0-9-]+):([A-Za-z0-9-]+)$/.exec(id);
  if (!match) return undefined;
  const [, kind, name, last] = match as unknown as [string, OperationKind, string, string];
  if (JOINED.has(kind)) return { kind, name, workflowId: `${kind}:${name}`, runId: last };
  return { kind, name, workflowId: id };
}

/** Reads kind and webspace of one of our workflow ids; undefined for ids of another form (e.g. the sweep's). */
export function parseWorkflowId(workflowId: string): { kind: OperationKind; name: string } | undefined {
  const match = /^([a-z]+):([a-z0-9-]+)(?::[A-Za-z0-9-]+)?$/.exec(workflowId);
  return match ? { kind: match[1] as OperationKind, name: match[2] as string } : undefined;
}
