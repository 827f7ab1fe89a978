import { z } from 'zod';
import type { ScaleView } from '#libs/contracts/scalings.js';
import { SCALE_GATES } from '#libs/domain/scale/observed.js';
import type { OperationError, OperationSummary, OperationWait } from '#libs/temporal/operations.js';
import { operationSchema, operationSummarySchema } from './schemas.js';
import { operationErrorSchema, plannedStep, runView } from './upgrades.answers.js';
import { clusterParams, skipReason } from './upgrades.schemas.js';

export const scalingParams = clusterParams.extend({
  id: z.string().regex(/^scale:[a-z0-9-]+:[A-Za-z0-9-]+$/, 'must be the id of a scaling, scale:cluster-<cluster>:<id>'),
});
export type ScalingParams = z.output<typeof scalingParams>;

export const scaleBody = z
  .strictObject({
    replicas: z.int({ error: 'must be a whole number' }).min(1).max(1000).describe('How many members there shall be'),
    volumes: z
      .enum(['keep', 'delete'], { error: 'must be keep or delete' })
      .default('keep')
      .describe('Of members that go: a volume that is kept has to be deleted by hand before the cluster grows again'),
    lost: z
      .enum(['refused', 'given-up'], { error: 'must be refused or given-up' })
      .default('refused')
      .describe('Of members that go and are away: given-up takes them out with all that only they have'),
    dryRun: z
      .boolean({ error: 'must be true or false' })
      .default(false)
      .describe('Only plan: changes nothing, and is answered with the plan'),
  })
  .meta({ id: 'ScaleRequest' });
export type ScaleBody = z.output<typeof scaleBody>;

export const skipScaleBody = z
  .strictObject({
    gate: z
      .enum(SCALE_GATES, { error: `must be the gate that is waited for, one of ${SCALE_GATES.join(', ')}` })
      .describe('The gate that is waited for now'),
    reason: skipReason.describe('Why the scaling may go on without it; for the report'),
  })
  .meta({ id: 'SkipScaleGate' });
export type SkipScaleBody = z.output<typeof skipScaleBody>;

const names = z.array(z.string());
const plan = z
  .looseObject({
    kind: z.enum(['grow', 'shrink']),
    hash: z.string().describe('What is approved'),
    from: z.int(),
    to: z.int(),
    coming: names.describe('In this order'),
    going: names.describe('In this order'),
    lost: names.describe('Of those that go, the ones that are given up'),
    volumes: z.enum(['keep', 'delete']),
    warnings: z.array(z.object({ code: z.string(), text: z.string() })),
    steps: z.array(plannedStep),
  })
  .meta({ id: 'ScalePlan' });

const scaleView = runView({
  plan,
  request: z.object({ replicas: z.int(), volumes: z.string().optional(), lost: z.string().optional() }),
}).meta({ id: 'ScaleView' });

export const scaleStateSchema = operationSummarySchema
  .extend({
    scaling: scaleView.optional(),
    scalingUnavailable: z.string().optional().describe('Why there is no `scaling`'),
    waits: operationSchema.shape.waits,
    error: operationErrorSchema.optional(),
  })
  .meta({ id: 'Scaling' });

export const scaleReportSchema = scaleView.extend({ summary: z.string() }).meta({ id: 'ScaleReport' });

export const scalePageSchema = z
  .object({ scalings: z.array(operationSummarySchema), cursor: z.string().optional().describe('Present when there is more') })
  .meta({ id: 'ScalingPage' });

/** A scaling as it is: what Temporal knows, and what the workflow tells. */
export interface ScaleState extends OperationSummary {
  readonly scaling?: ScaleView;
  /** Why there is none, e.g. because no worker answers. */
  readonly scalingUnavailable?: string;
  /** What is under way just now, with newer numbers than the view has. */
  readonly waits: readonly OperationWait[];
  readonly error?: OperationError;
}
