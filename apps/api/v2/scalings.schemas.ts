import { z } from 'zod';
import type { ScaleView } from '#libs/contracts/scalings.js';
import { SCALE_GATES } from '#libs/domain/scale/observed.js';
import { plannedStep, runState, runView } from './cluster-runs.answers.js';
import { clusterParams, dryRun, type RunState, skipBodyOf } from './cluster-runs.schemas.js';
import { operationSummarySchema } from './schemas.js';

export const scalingParams = clusterParams.extend({
  id: z.string().regex(/^scale:[a-z0-9-]+:[A-Za-z0-9-]+$/, 'must be the id of a scaling, scale:cluster-<cluster>:<id>'),
});

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
    dryRun,
  })
  .meta({ id: 'ScaleRequest' });
export type ScaleBody = z.output<typeof scaleBody>;

export const skipScaleBody = skipBodyOf(SCALE_GATES, 'scaling').meta({ id: 'SkipScaleGate' });

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

export const scaleStateSchema = runState({
  scaling: scaleView.optional(),
  scalingUnavailable: z.string().optional().describe('Why there is no `scaling`'),
}).meta({ id: 'Scaling' });

export const scaleReportSchema = scaleView.extend({ summary: z.string() }).meta({ id: 'ScaleReport' });

export const scalePageSchema = z
  .object({ scalings: z.array(operationSummarySchema), cursor: z.string().optional().describe('Present when there is more') })
  .meta({ id: 'ScalingPage' });

/** A scaling as it is: what Temporal knows, and what the workflow tells. */
export interface ScaleState extends RunState {
  readonly scaling?: ScaleView;
  /** Why there is none, e.g. because no worker answers. */
  readonly scalingUnavailable?: string;
}
