import { z } from 'zod';
import type { OperationError, OperationSummary, OperationWait } from '#libs/temporal/operations.js';

// What upgrades and scalings of clusters take alike.

const clusterName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'must be the name of a cluster, as the worker has it under `clusters`, e.g. lxd');
export const clusterParams = z.strictObject({ name: clusterName });
export type ClusterParams = z.output<typeof clusterParams>;

export interface RunParams extends ClusterParams {
  readonly id: string;
}

export const dryRun = z
  .boolean({ error: 'must be true or false' })
  .default(false)
  .describe('Only plan: changes nothing, and is answered with the plan');

export const runListQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Entries per page, at most 200'),
  cursor: z.string().max(2000).optional().describe('From the page before'),
});
export type RunListQuery = z.output<typeof runListQuery>;

export const approveBody = z
  .strictObject({
    hash: z.string({ error: 'must be the hash of the plan' }).min(1).max(200).describe('Of the plan that was read'),
    acceptPointOfNoReturn: z
      .boolean({ error: 'must be true or false' })
      .optional()
      .describe('Must be true for a plan that has a point of no return'),
  })
  .meta({ id: 'ApproveUpgrade' });
export type ApproveBody = z.output<typeof approveBody>;

const reason = z.string({ error: 'must be a text' }).trim().min(1, 'must not be empty').max(1000);

export const orderBody = z
  .strictObject({ reason: reason.optional().describe('For the report') })
  .default({})
  .meta({ id: 'UpgradeOrder' });
export type OrderBody = z.output<typeof orderBody>;

export const skipBodyOf = <const G extends string>(gates: readonly G[], word: 'upgrade' | 'scaling') =>
  z.strictObject({
    gate: z
      .enum(gates, { error: `must be the gate that is waited for, one of ${gates.join(', ')}` })
      .describe('The gate that is waited for now'),
    reason: reason.describe(`Why the ${word} may go on without it; for the report`),
  });
export interface SkipBody {
  readonly gate: string;
  readonly reason: string;
}

/** One of them as it is; its view beside what Temporal knows. */
export interface RunState extends OperationSummary {
  /** What is under way just now, with newer numbers than the view has. */
  readonly waits: readonly OperationWait[];
  readonly error?: OperationError;
}
