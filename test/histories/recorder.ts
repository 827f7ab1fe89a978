import { mkdirSync, writeFileSync } from 'node:fs';
import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { Lab } from '#lab/harness.js';

const FOLDER = 'workflows/histories';

/** Waits for the end of a workflow and writes down its history. */
export async function saveHistory(client: Client, workflowType: string, what: string, workflowId: string, runId?: string): Promise<void> {
  const handle = client.workflow.getHandle(workflowId, runId);
  await handle.result().catch(() => 'a history of a failure is wanted too');
  const { workflowId: id } = handle;
  mkdirSync(`${FOLDER}/${workflowType}`, { recursive: true });
  // Stack traces tell of the machine they were recorded on, and replay does not need them.
  const history = JSON.parse(historyToJSON(await handle.fetchHistory()), (key, value) => (key === 'stackTrace' ? '' : value)) as object;
  writeFileSync(`${FOLDER}/${workflowType}/${what}.json`, `${JSON.stringify({ workflowId: id, ...history }, null, 1)}\n`);
  console.log(`${workflowType}/${what}: ${id}`);
}

/** The newest operation of a kind, as the API tells it. */
export async function newestOperation(lab: Lab, kind: string): Promise<string> {
  const { operations } = JSON.parse((await lab.api('admin', 'GET', `/v2/operations?kind=${kind}&limit=1`)).body) as {
    operations: { id: string }[];
  };
  const [first] = operations;
  if (!first) throw new Error(`No operation of kind ${kind}.`);
  return first.id;
}
