import { defineSearchAttributeKey, TypedSearchAttributes, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ChildWorkflowFailure, ParentClosePolicy, startChild } from '@temporalio/workflow';
import { SEARCH_ATTRIBUTES, workflowIdOf } from '../../libs/contracts/ids.js';
import { type OperationKind, type Requester, WORKFLOW_TYPES } from '../../libs/contracts/operations.js';
import { cut } from './cut.js';

const AT_ONCE = 8;

const KEYWORDS = {
  webspace: defineSearchAttributeKey(SEARCH_ATTRIBUTES.webspace, 'KEYWORD'),
  owner: defineSearchAttributeKey(SEARCH_ATTRIBUTES.owner, 'KEYWORD'),
  kind: defineSearchAttributeKey(SEARCH_ATTRIBUTES.kind, 'KEYWORD'),
};

/** An operation that another workflow starts; seen in /v2/operations as one that a person asked for. */
export interface StartedOperation {
  readonly kind: OperationKind;
  readonly name: string;
  /** Account id. */
  readonly owner: string;
  readonly operationId: string;
  readonly requestedBy: Requester;
}

/** How such an operation is started: it goes on when its parent ends. */
export function childOptionsOf({ kind, name, owner, operationId, requestedBy }: StartedOperation) {
  return {
    workflowId: workflowIdOf(kind, name, operationId),
    parentClosePolicy: ParentClosePolicy.ABANDON,
    memo: { requestedBy },
    typedSearchAttributes: new TypedSearchAttributes([
      { key: KEYWORDS.webspace, value: name },
      { key: KEYWORDS.owner, value: owner },
      { key: KEYWORDS.kind, value: kind },
    ]),
    staticSummary: cut(`${kind} ${name}, asked by ${requestedBy.username}`),
  };
}

/** Runs an operation to its end; false when it failed, which is seen in Temporal UI, or when it is there already. */
export async function runOperation(start: StartedOperation, input: object): Promise<boolean> {
  try {
    const child = await startChild(WORKFLOW_TYPES[start.kind], { ...childOptionsOf(start), args: [input] });
    await child.result();
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError || error instanceof ChildWorkflowFailure) return false;
    throw error;
  }
}

/** Works on all of them, a few at a time. */
export async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const lane = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
