import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { WORKFLOW_TYPES } from '#libs/contracts/operations.js';
import type { Lab } from '../harness.js';

/** Terminates the upgrades that still run: of a cluster that is about to be replaced there is nothing left to upgrade, and one at a time is allowed. */
export async function endUpgrades(lab: Lab): Promise<void> {
  const connection = await Connection.connect({ address: lab.temporalAddress });
  try {
    const { workflow } = new Client({ connection });
    const query = `WorkflowType="${WORKFLOW_TYPES.upgrade}" AND ExecutionStatus="Running"`;
    for await (const { workflowId } of workflow.list({ query })) {
      await workflow
        .getHandle(workflowId)
        .terminate('its cluster is replaced')
        .catch((error: unknown) => {
          if (!(error instanceof WorkflowNotFoundError)) throw error;
        });
    }
  } finally {
    await connection.close();
  }
}
