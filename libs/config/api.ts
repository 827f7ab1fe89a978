import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { identitySchema } from './identity.js';
import { kubernetesSchema, listenSchema, logSchema, lxdSchema, platformSchema, sealingSchema, temporalSchema } from './schemas.js';

export const apiConfigSchema = z.strictObject({
  listen: listenSchema.prefault('127.0.0.1:8080'),
  publicUrl: z.url({ protocol: /^https?$/ }).describe('Base URL under which callers reach the API, for links'),
  log: logSchema,
  platform: platformSchema,
  lxd: lxdSchema,
  kubernetes: kubernetesSchema,
  temporal: temporalSchema,
  identity: identitySchema,
  sealing: sealingSchema,
  cors: z
    .strictObject({
      allowedOrigins: z.array(z.string().min(1)).default(['*']).describe('Origins of browser pages that may call; * for any'),
    })
    .prefault({}),
  limits: z
    .strictObject({
      bodyBytes: z.int().min(1024).default(65_536).describe('Largest request body'),
      waitSeconds: z
        .number()
        .min(0.1)
        .max(600)
        .default(60)
        .describe('Longest wait of a v1 change for its result; then 504, and it goes on'),
      temporalTimeoutMs: z.int().min(100).max(30_000).default(2500).describe('Deadline of one call to Temporal'),
      queryTimeoutMs: z.int().min(100).max(10_000).default(2000).describe('How long a worker may take to tell the steps of an operation'),
      lxdTimeoutMs: z.int().min(100).max(60_000).default(10_000).describe('Deadline of one read from LXD'),
      eventStreams: z.int().min(1).default(500).describe('Open event streams of this process'),
      shutdownSeconds: z.number().min(0).max(600).default(20).describe('How long requests may finish after SIGTERM'),
    })
    .prefault({}),
});
export type ApiConfig = DeepReadonly<z.output<typeof apiConfigSchema>>;
