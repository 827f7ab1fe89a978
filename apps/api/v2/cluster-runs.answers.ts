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
    notes: z.array(z.string()).optional().describe('What could not be done, is not waited for, and is left to an operator'),
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

/** One of them as it is, with its view by the word for it. */
export const runState = <V extends z.ZodRawShape>(view: V) =>
  operationSummarySchema.extend({
    ...view,
    waits: operationSchema.shape.waits,
    error: z.object({ code: z.enum(ERROR_CODES), message: z.string() }).optional(),
  });

export const upgradeAnswerSchema = z.object({ answer: z.string().describe('What happens now') }).meta({ id: 'UpgradeAnswer' });
