import { z } from 'zod';
import { plannedStep, runState, runView } from './cluster-runs.answers.js';
import { operationSummarySchema } from './schemas.js';

const outage = z.object({ seconds: z.number(), derivation: z.string().describe('How it comes to this number') });

const plan = z
  .looseObject({
    kind: z.enum(['rolling', 'lockstep-sequential', 'lockstep-parallel']),
    hash: z.string().describe('What is approved'),
    why: z.string(),
    replaced: z.array(z.looseObject({ member: z.string(), pod: z.string(), why: z.string(), place: z.string() })).describe('In this order'),
    outage: z.object({ members: z.array(outage.extend({ member: z.string() })), api: outage }),
    warnings: z.array(z.object({ code: z.string(), text: z.string() })),
    steps: z.array(plannedStep),
    pointOfNoReturn: z.object({ step: z.string(), reason: z.string() }).optional(),
    wayBack: z.string(),
  })
  .meta({ id: 'UpgradePlan' });

const upgradeView = runView({
  plan,
  request: z.object({ image: z.string(), environment: z.record(z.string(), z.string()).optional(), instances: z.string().optional() }),
}).meta({ id: 'UpgradeView' });

export const upgradeStateSchema = runState({
  upgrade: upgradeView.optional(),
  upgradeUnavailable: z.string().optional().describe('Why there is no `upgrade`'),
}).meta({ id: 'Upgrade' });

export const upgradeReportSchema = upgradeView
  .extend({
    members: z.array(
      z.object({
        member: z.string(),
        away: z
          .array(z.object({ from: z.string(), until: z.string().optional(), seconds: z.number().optional() }))
          .describe('From the deletion of its pod until it served again'),
        expectedSeconds: z.number().optional(),
        write: z
          .object({ beforeMs: z.number().optional(), afterMs: z.number().optional() })
          .optional()
          .describe('How long a small write to its volume took: before the member was replaced first, and after all'),
      }),
    ),
    api: z
      .object({ expectedSeconds: z.number(), seconds: z.number().optional() })
      .optional()
      .describe("How long LXD's API was away, in lockstep"),
    summary: z.string(),
  })
  .meta({ id: 'UpgradeReport' });

export const upgradePageSchema = z
  .object({ upgrades: z.array(operationSummarySchema), cursor: z.string().optional().describe('Present when there is more') })
  .meta({ id: 'UpgradePage' });

export const clusterListSchema = z
  .object({
    clusters: z.array(
      z.object({
        name: z.string(),
        upgrade: operationSummarySchema.optional().describe('The one that is under way'),
        scaling: operationSummarySchema.optional().describe('The one that is under way'),
      }),
    ),
  })
  .meta({ id: 'ClusterList' });

export const clusterSchema = z
  .object({
    name: z.string(),
    upgrade: operationSummarySchema.optional().describe('The one that is under way'),
    scaling: operationSummarySchema.optional().describe('The one that is under way'),
    members: z.array(
      z.looseObject({
        name: z.string(),
        pod: z.string(),
        status: z.enum(['Online', 'Evacuated', 'Offline', 'Blocked']),
        answers: z.enum(['serving', 'waiting', 'silent']),
        versions: z.object({ schema: z.int(), apiExtensions: z.int() }),
        database: z.enum(['voter', 'standby', 'spare']),
        instancesRunning: z.int(),
      }),
    ),
    leader: z.string().optional().describe('The member that leads dqlite'),
    alignment: z.enum(['upwards', 'both']),
    statefulSet: z.looseObject({ name: z.string(), replicas: z.int() }),
    pods: z.array(z.looseObject({ name: z.string(), node: z.string().optional(), probes: z.array(z.string()) })),
    storage: z.enum(['longhorn', 'unwatched']),
    volumes: z.array(z.looseObject({ name: z.string(), member: z.string(), state: z.string(), robustness: z.string() })),
    images: z.array(z.looseObject({ node: z.string(), state: z.string() })),
    cordoned: z.array(z.string()).describe('Of the nodes where its pods are, those that take no new ones'),
    operations: z.array(z.object({ id: z.string(), kind: z.string(), description: z.string() })).describe('What works on it'),
  })
  .meta({ id: 'Cluster' });
