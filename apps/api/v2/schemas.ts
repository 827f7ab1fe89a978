import { z } from 'zod';
import { SUSPENSION_REASONS } from '#libs/contracts/accounts.js';
import { ERROR_CODES } from '#libs/contracts/error-codes.js';
import { OPERATION_KINDS } from '#libs/contracts/operations.js';
import { PHASES } from '#libs/contracts/webspaces-api.js';
import { OPERATION_STATUSES } from '#libs/temporal/operations.js';
import { imageReference, rootPassword, withSsh } from '../v1/schemas.js';

const MAX_PAGE = 200;
const limit = z.coerce.number().int().min(1).max(MAX_PAGE).default(50).describe(`Entries per page, at most ${MAX_PAGE}`);
export const webspaceName = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be a webspace name such as ws-u12');

export const portForwardView = z.object({
  protocol: z.enum(['tcp', 'udp']),
  external: z.int(),
  internal: z.int(),
  proxyProtocol: z.literal(true).optional(),
});
const ownerView = z.object({ id: z.string(), username: z.string().optional().describe('Absent while nobody knows it') });

export const webspaceParams = z.strictObject({ name: webspaceName });
export type WebspaceParams = z.output<typeof webspaceParams>;

export const webspaceListQuery = z.strictObject({
  q: z.string().max(200).optional().describe('Part of a name, user name, host name or custom domain'),
  limit,
  cursor: webspaceName.optional().describe('From the page before'),
});
export type WebspaceListQuery = z.output<typeof webspaceListQuery>;

export const createWebspaceV2Body = z
  .strictObject({
    image: imageReference.describe('Image alias, or fingerprint of 64 hex digits'),
    boot: z.boolean({ error: 'must be true or false' }).default(false).describe('Boot it as soon as it is made'),
    password: rootPassword.optional(),
    ssh: withSsh.optional(),
    owner: z
      .string({ error: 'must be a text' })
      .min(1)
      .optional()
      .describe('User name or `id:<account id>` (admins); the caller when absent'),
  })
  .meta({ id: 'CreateWebspace' });
export type CreateWebspaceV2Body = z.output<typeof createWebspaceV2Body>;

const protocol = z.enum(['tcp', 'udp'], { error: 'must be tcp or udp' });
const portNumber = z.int({ error: 'must be a port, 1 to 65535' });
const domain = z.string({ error: 'must be a host name' }).max(1_024);
const MAX_CHANGES = 200;

/** Several changes, made all at once or not at all. Ranges and limits are checked with the webspace's own. */
export const changeWebspaceV2Body = z
  .strictObject({
    config: z
      .strictObject({
        startupDelaySeconds: z.number({ error: 'must be a number of seconds' }).optional().describe('0 to 60'),
        httpPort: portNumber.optional(),
        sniPassthrough: z.boolean({ error: 'must be true or false' }).optional(),
      })
      .optional(),
    domains: z
      .strictObject({ add: z.array(domain).max(MAX_CHANGES).default([]), remove: z.array(domain).max(MAX_CHANGES).default([]) })
      .optional(),
    ports: z
      .strictObject({
        add: z
          .array(
            z.strictObject({
              protocol: protocol.default('tcp'),
              external: portNumber.optional().describe('Any free port of the range when absent'),
              internal: portNumber,
              proxyProtocol: z
                .literal(true, { error: 'must be true, or absent' })
                .optional()
                .describe("Connections begin with the client's address (PROXY protocol v2); TCP only"),
            }),
          )
          .max(MAX_CHANGES)
          .default([]),
        remove: z
          .array(z.strictObject({ protocol: protocol.default('tcp'), external: portNumber }))
          .max(MAX_CHANGES)
          .default([]),
      })
      .optional(),
    policy: z
      .strictObject({
        alwaysOn: z.boolean({ error: 'must be true or false' }).optional().describe('It is not shut down although nobody uses it'),
      })
      .optional(),
  })
  .refine((body) => Object.values(body).some((part) => part !== undefined), 'it changes nothing; give config, domains, ports or policy')
  .meta({ id: 'ChangeWebspace' });
export type ChangeWebspaceV2Body = z.output<typeof changeWebspaceV2Body>;

export const portForwardListQuery = z.strictObject({
  webspace: webspaceName.optional(),
  protocol: protocol.optional(),
  external: z.coerce.number().int().min(1).max(65535).optional(),
  limit,
  cursor: z
    .string()
    .regex(/^(tcp|udp)-\d{1,5}$/, 'must be the cursor of the page before')
    .optional()
    .describe('From the page before'),
});
export type PortForwardListQuery = z.output<typeof portForwardListQuery>;

export const portForwardPageSchema = z
  .object({
    portForwards: z.array(
      z.object({
        protocol,
        external: z.int(),
        internal: z.int(),
        proxyProtocol: z.literal(true).optional(),
        webspace: z.string(),
        owner: ownerView,
      }),
    ),
    cursor: z.string().optional().describe('Present when there is more'),
  })
  .meta({ id: 'PortForwardPage' });
export type PortForwardPage = z.output<typeof portForwardPageSchema>;

export const webspaceViewSchema = z
  .object({
    name: z.string(),
    phase: z.enum(PHASES),
    uid: z.string().optional(),
    owner: ownerView.optional(),
    url: z.string().optional(),
    domains: z.array(z.string()).optional().describe('Custom domains'),
    http: z.object({ port: z.int(), startupDelaySeconds: z.number(), sniPassthrough: z.boolean() }).optional(),
    ports: z.array(portForwardView).optional(),
    address: z.string().optional().describe('Its own; absent for one of the original until its next planned start'),
    policy: z.object({ alwaysOn: z.boolean() }).optional(),
    image: z.object({ alias: z.string().optional(), fingerprint: z.string() }).optional(),
    createdAt: z.string().optional(),
    lastUsedAt: z.string().optional(),
    location: z.string().optional().describe('LXD cluster member'),
    suspended: z
      .object({ since: z.string(), reason: z.enum(SUSPENSION_REASONS), by: z.string(), note: z.string().optional() })
      .optional()
      .describe('It is off and cannot be booted'),
    problem: z
      .object({ code: z.enum(ERROR_CODES), message: z.string() })
      .optional()
      .describe('Why it is unhealthy'),
  })
  .meta({ id: 'WebspaceV2' });
export type WebspaceView = z.output<typeof webspaceViewSchema>;

export const webspacePageSchema = z
  .object({ webspaces: z.array(webspaceViewSchema), cursor: z.string().optional().describe('Present when there is more') })
  .meta({ id: 'WebspacePage' });
export type WebspacePage = z.output<typeof webspacePageSchema>;

export const accountParams = z.strictObject({ id: z.string().min(1).max(255).describe('Account id in the identity service') });
export type AccountParams = z.output<typeof accountParams>;

export const suspendBody = z
  .strictObject({ note: z.string({ error: 'must be a text' }).min(1).max(500).optional().describe('Why, for the member and other admins') })
  .meta({ id: 'SuspendAccount' });
export type SuspendBody = z.output<typeof suspendBody>;

export const operationParams = z.strictObject({
  id: z.string().regex(/^[a-z]+:[a-z0-9-]+:[A-Za-z0-9-]+$/, 'must be an operation id, <kind>:<webspace>:<id>'),
});
export type OperationParams = z.output<typeof operationParams>;

export const operationListQuery = z.strictObject({
  webspace: webspaceName.optional(),
  kind: z.enum(OPERATION_KINDS).optional(),
  status: z.enum(OPERATION_STATUSES).optional(),
  limit,
  cursor: z.string().max(2000).optional().describe('From the page before'),
});
export type OperationListQuery = z.output<typeof operationListQuery>;

const operationError = z.object({ code: z.enum(ERROR_CODES), message: z.string() });
const requester = z.object({ subject: z.string(), username: z.string() });

export const operationSummarySchema = z
  .object({
    id: z.string(),
    kind: z.enum(OPERATION_KINDS),
    webspace: z.string(),
    status: z.enum(OPERATION_STATUSES),
    owner: z.string().optional(),
    requestedBy: requester.optional(),
    startedAt: z.string(),
    closedAt: z.string().optional(),
    links: z.object({ temporalUi: z.string() }),
  })
  .meta({ id: 'OperationSummary' });

export const operationSchema = operationSummarySchema
  .extend({
    steps: z
      .array(
        z.object({
          name: z.string(),
          summary: z.string(),
          state: z.enum(['running', 'done', 'failed', 'cancelled', 'undone', 'undo-failed']),
          startedAt: z.string(),
          endedAt: z.string().optional(),
          error: operationError.optional(),
        }),
      )
      .optional(),
    stepsUnavailable: z.string().optional().describe('Why there are no steps'),
    waits: z
      .array(
        z.object({
          activity: z.string().optional().describe('Absent when the operation itself waits, e.g. for an approval'),
          reason: z.string().optional(),
          deadline: z.string().optional(),
          attempts: z.int(),
          nextAttemptAt: z.string().optional(),
          lastError: operationError.optional(),
        }),
      )
      .describe('What is under way or waited for just now'),
    error: operationError.optional(),
  })
  .meta({ id: 'Operation' });

export const operationPageSchema = z
  .object({ operations: z.array(operationSummarySchema), cursor: z.string().optional() })
  .meta({ id: 'OperationPage' });
