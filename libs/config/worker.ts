import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { identitySchema } from './identity.js';
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

export const workerConfigSchema = z.strictObject({
  listen: listenSchema.prefault('127.0.0.1:8081').describe('Address of health and metrics'),
  log: logSchema,
  platform: platformSchema,
  lxd: lxdSchema,
  kubernetes: kubernetesSchema,
  temporal: temporalSchema,
  sealing: sealingSchema,
  identity: identitySchema
    .optional()
    .describe('Where the user names of webspaces are looked up that the original made; without it nobody knows them'),
  dns: dnsSchema,
  domains: z
    .strictObject({
      verifyEverySeconds: z.int().min(1).default(21_600).describe('How often the proof of every custom domain is asked for'),
      graceSeconds: z.int().min(0).default(259_200).describe('How long a custom domain stays although its proof is missing'),
    })
    .prefault({}),
  sweep: z.strictObject({ intervalSeconds: z.int().min(1).default(60) }).prefault({}),
});
export type WorkerConfig = DeepReadonly<z.output<typeof workerConfigSchema>>;
