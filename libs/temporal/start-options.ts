import type { WorkflowStartOptions } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { SEARCH_ATTRIBUTES, TASK_QUEUE, workflowIdOf } from '#libs/contracts/ids.js';
import type { StartRequest } from './operations.js';

const KEYWORDS = {
  webspace: defineSearchAttributeKey(SEARCH_ATTRIBUTES.webspace, 'KEYWORD'),
  owner: defineSearchAttributeKey(SEARCH_ATTRIBUTES.owner, 'KEYWORD'),
  kind: defineSearchAttributeKey(SEARCH_ATTRIBUTES.kind, 'KEYWORD'),
};

/** How the workflow of an operation is started: its id, what may join it, and what Temporal UI shows of it. */
export function startOptionsOf(request: StartRequest): WorkflowStartOptions & { workflowId: string } {
  const workflowId = workflowIdOf(request.kind, request.name, request.operationId);
  const repeatable = !workflowId.endsWith(`:${request.operationId}`);
  return {
    workflowId,
    taskQueue: TASK_QUEUE,
    args: [request.input],
    workflowIdReusePolicy: repeatable ? 'ALLOW_DUPLICATE' : 'REJECT_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    memo: { requestedBy: request.requestedBy, ...(request.body && !repeatable ? { bodyHash: request.body.fingerprint } : {}) },
    typedSearchAttributes: new TypedSearchAttributes([
      { key: KEYWORDS.webspace, value: request.name },
      { key: KEYWORDS.owner, value: request.owner },
      { key: KEYWORDS.kind, value: request.kind },
    ]),
    staticSummary: cutAt(request.summary, 200),
  };
}

/** The text cut to a number of bytes, never inside a character. */
function cutAt(text: string, bytes: number): string {
  let end = text.length;
  while (Buffer.byteLength(text.slice(0, end)) > bytes) end--;
  return text.slice(0, end);
}
