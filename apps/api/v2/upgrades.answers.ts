import { z } from 'zod';
import { ERROR_CODES } from '#libs/contracts/error-codes.js';
import { UPGRADE_PHASES } from '#libs/contracts/upgrades.js';
import { operationSchema, operationSummarySchema } from './schemas.js';

const requester = z.object({ subject: z.string(), username: z.string() });
const outcome = z.object({
  is: z.enum(['passed', 'waiting', 'failed']),
  because: z.string().optional(),
  reason: z.string().optional(),
  progress: z.string().optional(),
  remedy: z.string().optional(),
});
export const plannedStep = z.object({
  id: z.string(),
  action: z.looseObject({ do: z.string() }),
  reason: z.string(),
  pause: z.enum(['allowed', 'not-here']),
});
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

const memberRow = z.object({
  member: z.string(),
  status: z.string(),
  answers: z.string(),
  versions: z.string(),
  database: z.string(),
  pod: z.string(),
  node: z.string(),
  image: z.string(),
  probes: z.array(z.string()),
  volumes: z.string(),
});

/** What an upgrade and a scaling tell of themselves. */
export const runView = <P extends z.ZodType, R extends z.ZodType>(of: { readonly plan: P; readonly request: R }) =>
  z.object({
    cluster: z.string(),
    operationId: z.string(),
    request: of.request,
    phase: z.enum(UPGRADE_PHASES),
    plans: z.array(of.plan).describe('To be approved, or as approved'),
    approvedHash: z.string().optional(),
    differences: z.array(z.string()).describe('What has become different since a plan was shown or approved'),
    refusals: z.array(z.object({ code: z.string(), reason: z.string(), remedy: z.string() })),
    steps: z.array(
      z.object({
        step: plannedStep,
        text: z.string(),
        way: z.enum(['forth', 'back']),
        state: z.enum(['planned', 'running', 'done', 'failed', 'skipped', 'not-needed']),
        startedAt: z.string().optional(),
        endedAt: z.string().optional(),
        outcome: outcome.optional(),
        readings: z.int().optional().describe('How often the gate was looked at'),
        writes: z
          .array(z.object({ member: z.string(), milliseconds: z.number().optional(), error: z.string().optional() }))
          .optional()
          .describe('How long a small write took until it was on the volume of each member, measured once when the volumes were settled'),
        error: z.object({ code: z.string(), message: z.string() }).optional(),
        result: z.string().optional(),
      }),
    ),
    wait: z
      .object({
        for: z.string(),
        progress: z.string().optional(),
        since: z.string(),
        deadline: z.string(),
        updates: z
          .array(z.object({ name: z.string(), argument: z.string(), who: z.string() }))
          .describe('What counts now, and who may send it'),
      })
      .optional()
      .describe('What is waited for now'),
    table: z.array(memberRow),
    audit: z.array(z.object({ at: z.string(), by: requester, did: z.string(), about: z.string() })),
    startedAt: z.string(),
    endedAt: z.string().optional(),
  });

const upgradeView = runView({
  plan,
  request: z.object({ image: z.string(), environment: z.record(z.string(), z.string()).optional(), instances: z.string().optional() }),
}).meta({ id: 'UpgradeView' });

export const operationErrorSchema = z.object({ code: z.enum(ERROR_CODES), message: z.string() });

export const upgradeStateSchema = operationSummarySchema
  .extend({
    upgrade: upgradeView.optional(),
    upgradeUnavailable: z.string().optional().describe('Why there is no `upgrade`'),
    waits: operationSchema.shape.waits,
    error: operationErrorSchema.optional(),
  })
  .meta({ id: 'Upgrade' });

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

export const upgradeAnswerSchema = z.object({ answer: z.string().describe('What happens now') }).meta({ id: 'UpgradeAnswer' });

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
