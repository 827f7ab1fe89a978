import { type Client, isGrpcServiceError } from '@temporalio/client';
import { executionInfoFromRaw } from '@temporalio/client/lib/helpers.js';
import { SEARCH_ATTRIBUTES } from '#libs/contracts/ids.js';
import { isAdminKind, OPERATION_KINDS, WORKFLOW_TYPES } from '#libs/contracts/operations.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { summaryOf, VISIBILITY_STATUS } from './describe.js';
import type { OperationFilter, OperationPage, OperationSummary } from './operations.js';

/** UNKNOWN, INVALID_ARGUMENT and INTERNAL: what visibility stores answer to a page token that is not theirs. */
const REFUSALS: ReadonlySet<number> = new Set([2, 3, 13]);

/** The filter in Temporal's visibility language. Values come from closed sets or are checked here: the language has no parameters. */
export function visibilityQuery(filter: Omit<OperationFilter, 'limit' | 'cursor'>): string {
  const kinds = OPERATION_KINDS.filter((kind) => !filter.visibleTo || !isAdminKind(kind));
  const types = (filter.kind ? [filter.kind] : kinds).map((kind) => WORKFLOW_TYPES[kind]);
  const parts = [`WorkflowType IN (${types.map(quoted).join(', ')})`];
  if (filter.webspace !== undefined) parts.push(`${SEARCH_ATTRIBUTES.webspace} = ${quoted(filter.webspace)}`);
  if (filter.status) parts.push(`ExecutionStatus = ${quoted(VISIBILITY_STATUS[filter.status])}`);
  if (filter.visibleTo) {
    const { owner, webspace } = filter.visibleTo;
    const own = `${SEARCH_ATTRIBUTES.webspace} = ${quoted(webspace)}`;
    // A subject that cannot be quoted (`auth0|…`) has no webspace but the one of that name.
    parts.push(QUOTABLE.test(owner) ? `(${SEARCH_ATTRIBUTES.owner} = ${quoted(owner)} OR ${own})` : own);
  }
  return parts.join(' AND ');
}

const QUOTABLE = /^[\w.@:+-]{1,200}$/;

function quoted(value: string): string {
  if (!QUOTABLE.test(value)) throw new PlatformError('INVALID_INPUT', 'The filter holds characters that no name or account id has.');
  return `'${value}'`;
}

/** One page, newest first within running and ended ones; visibility follows an operation within about a second. */
export async function listOperations(
  client: Client,
  filter: OperationFilter,
  links: (workflowId: string, runId: string) => string,
): Promise<OperationPage> {
  const { namespace, loadedDataConverter } = client.options;
  const page = { namespace, pageSize: filter.limit, query: visibilityQuery(filter) };
  const { cursor } = filter;
  const answer = await client.workflowService
    .listWorkflowExecutions({ ...page, ...(cursor === undefined ? {} : { nextPageToken: tokenOf(cursor) }) })
    .catch((error: unknown) => {
      throw cursor !== undefined && isGrpcServiceError(error) && REFUSALS.has(error.code) ? badCursor() : error;
    });
  const infos = await Promise.all(answer.executions.map((raw) => executionInfoFromRaw(raw, loadedDataConverter, raw, namespace)));
  const operations = infos.map((info) => summaryOf(info, links)).filter((summary): summary is OperationSummary => summary !== undefined);
  const token = answer.nextPageToken;
  return { operations, ...(token && token.length > 0 ? { cursor: Buffer.from(token).toString('base64url') } : {}) };
}

function tokenOf(cursor: string): Uint8Array {
  if (!/^[\w-]+$/.test(cursor))
    throw new PlatformError('INVALID_INPUT', 'The cursor is not one that this API gave out.', { details: { field: 'cursor' } });
  return Buffer.from(cursor, 'base64url');
}

function badCursor(): PlatformError {
  return new PlatformError('INVALID_INPUT', 'The cursor is not one that this API gave out.', { details: { field: 'cursor' } });
}
