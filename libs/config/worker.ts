import { z } from 'zod';
import { accountsSchema } from './accounts.js';
import { clustersSchema, copiesFolderSchema } from './clusters.js';
import type { DeepReadonly } from './freeze.js';
import { identitySchema } from './identity.js';
import { imagesSchema } from './images.js';
import {
  dnsSchema,
  kubernetesSchema,
  listenSchema,
  logSchema,
  lxdSchema,
  platformSchema,
  sealingSchema,
  temporalSchema,
} from './schemas.js';

const gateway = z
  .strictObject({
    entryPoints: z
      .array(listenSchema)
      .max(64)
      .default([])
      .describe("Traefik's HTTPS entry point; a name stands for all its addresses, so that a headless Service is every replica"),
    portsGateways: z
      .array(listenSchema)
      .max(64)
      .default([])
      .describe('Address of health and status of the `ports` gateways; a name stands for all its addresses'),
    waitSeconds: z.number().min(0.1).max(10).default(2).describe('Longest wait until new visitors are led to the gateway'),
    drainSeconds: z.number().min(0).max(10).default(1).describe('What requests under way have got to end after that'),
  })
  .prefault({})
  .describe('A planned stop: what is asked whether visitors are led to the gateway already; neither known, it stops at once');

const idleStop = z
  .strictObject({
    enabled: z.boolean().default(false).describe('Shut webspaces down that nobody uses; the next visit boots them'),
    afterSeconds: z.int().min(1).default(3_600).describe('How long nobody must have used it'),
    everySeconds: z.int().min(1).default(300).describe('How often all running webspaces are looked at'),
    quietBytes: z.int().min(0).default(8_192).describe('What a container may send from one look to the next without counting as used'),
  })
  .prefault({});

const memoryStop = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe(
        'Shut down the webspace that was not used for the longest time on a member that says that its memory is short (apps/lxd8s/member)',
      ),
    everySeconds: z.int().min(1).default(15).describe('How often it is looked whether one is'),
  })
  .prefault({});

const settings = z.strictObject({
  listen: listenSchema.prefault('127.0.0.1:8081').describe('Address of health and metrics'),
  log: logSchema,
  platform: platformSchema,
  lxd: lxdSchema,
  kubernetes: kubernetesSchema,
  temporal: temporalSchema,
  sealing: sealingSchema,
  identity: identitySchema
    .optional()
    .describe('Where accounts are looked up: by the account policy, and for the user names of webspaces that the original made'),
  dns: dnsSchema,
  domains: z
    .strictObject({
      verifyEverySeconds: z.int().min(1).default(21_600).describe('How often the proof of every custom domain is asked for'),
      graceSeconds: z.int().min(0).default(259_200).describe('How long a custom domain stays although its proof is missing'),
    })
    .prefault({}),
  gateway,
  idleStop,
  memoryStop,
  accounts: accountsSchema,
  images: imagesSchema,
  clusters: clustersSchema.describe('Clusters of LXD members in Kubernetes that may be upgraded and scaled'),
  clusterCopiesFolder: copiesFolderSchema,
  sweep: z.strictObject({ intervalSeconds: z.int().min(1).default(60) }).prefault({}),
});

export const workerConfigSchema = settings.refine(
  ({ accounts, identity }) => !accounts.enabled || (identity && identity.adapter !== 'oidc'),
  {
    path: ['identity'],
    message: 'must be a service in which accounts can be looked up (iam, local) when accounts.enabled is true',
  },
);
export type WorkerConfig = DeepReadonly<z.output<typeof workerConfigSchema>>;
