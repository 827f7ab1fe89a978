import { z } from 'zod';
import type { UpgradeView } from '#libs/contracts/upgrades.js';
import { GATE_NAMES } from '#libs/domain/upgrade/gates.js';
import { clusterParams, dryRun, type RunState, skipBodyOf } from './cluster-runs.schemas.js';

const IMAGE = /^[^\s@]+(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;
const WITH_TAG = /[:@][^/]+$/;

export const upgradeParams = clusterParams.extend({
  id: z.string().regex(/^upgrade:[a-z0-9-]+:[A-Za-z0-9-]+$/, 'must be the id of an upgrade, upgrade:cluster-<cluster>:<id>'),
});

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
    dryRun,
  })
  .meta({ id: 'UpgradeRequest' });
export type UpgradeBody = z.output<typeof upgradeBody>;

export const skipBody = skipBodyOf([...GATE_NAMES, 'change-merged'], 'upgrade').meta({ id: 'SkipGate' });

/** An upgrade as it is: what Temporal knows, and what the workflow tells. */
export interface UpgradeState extends RunState {
  readonly upgrade?: UpgradeView;
  /** Why there is none, e.g. because no worker answers. */
  readonly upgradeUnavailable?: string;
}
