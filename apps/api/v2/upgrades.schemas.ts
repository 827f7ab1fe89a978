import { z } from 'zod';
import type { UpgradeView } from '#libs/contracts/upgrades.js';
import { GATE_NAMES } from '#libs/domain/upgrade/gates.js';
import type { OperationError, OperationSummary, OperationWait } from '#libs/temporal/operations.js';

const IMAGE = /^[^\s@]+(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;
const WITH_TAG = /[:@][^/]+$/;

export const clusterName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'must be the name of a cluster, as the worker has it under `clusters`, e.g. lxd');
export const clusterParams = z.strictObject({ name: clusterName });
export type ClusterParams = z.output<typeof clusterParams>;

export const upgradeParams = clusterParams.extend({
  id: z.string().regex(/^upgrade:[a-z0-9-]+:[A-Za-z0-9-]+$/, 'must be the id of an upgrade, upgrade:cluster-<cluster>:<id>'),
});
export type UpgradeParams = z.output<typeof upgradeParams>;

export const upgradeBody = z
  .strictObject({
    image: z
      .string({ error: 'must be a text' })
      .max(500)
      .refine((image) => IMAGE.test(image) && WITH_TAG.test(image), 'must be a full reference of an image with its tag or digest')
      .describe('What the members shall run, e.g. registry.example.org/lxd:5.0.3'),
    environment: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable'),
        z.string({ error: 'must be a text, numbers in quotes' }).max(1000),
      )
      .optional()
      .describe('Variables that count as part of what runs; those not named stay'),
    instances: z
      .enum(['stop', 'evacuate'], { error: 'must be stop or evacuate' })
      .optional()
      .describe(
        "In a rolling upgrade: whether a member's instances stop with it, or are moved away and back; the cluster's setting when absent",
      ),
    dryRun: z
      .boolean({ error: 'must be true or false' })
      .default(false)
      .describe('Only plan: changes nothing, and is answered with the plan'),
  })
  .meta({ id: 'UpgradeRequest' });
export type UpgradeBody = z.output<typeof upgradeBody>;

export const upgradeListQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Entries per page, at most 200'),
  cursor: z.string().max(2000).optional().describe('From the page before'),
});
export type UpgradeListQuery = z.output<typeof upgradeListQuery>;

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

export const skipReason = z.string({ error: 'must be a text' }).trim().min(1, 'must not be empty').max(1000);

export const orderBody = z
  .strictObject({ reason: skipReason.optional().describe('For the report') })
  .default({})
  .meta({ id: 'UpgradeOrder' });
export type OrderBody = z.output<typeof orderBody>;

export const skipBody = z
  .strictObject({
    gate: z
      .enum([...GATE_NAMES, 'change-merged'], { error: `must be the gate that is waited for, one of ${GATE_NAMES.join(', ')}` })
      .describe('The gate that is waited for now'),
    reason: skipReason.describe('Why the upgrade may go on without it; for the report'),
  })
  .meta({ id: 'SkipGate' });
export type SkipBody = z.output<typeof skipBody>;

/** An upgrade as it is: what Temporal knows, and what the workflow tells. */
export interface UpgradeState extends OperationSummary {
  readonly upgrade?: UpgradeView;
  /** Why there is none, e.g. because no worker answers. */
  readonly upgradeUnavailable?: string;
  /** What is under way just now, with newer numbers than the view has. */
  readonly waits: readonly OperationWait[];
  readonly error?: OperationError;
}
