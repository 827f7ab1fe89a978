import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { identitySchema } from './identity.js';
import { imagesSchema } from './images.js';
import { listenSchema, logSchema, lxdSchema, platformSchema, sealingSchema, temporalSchema } from './schemas.js';

function isNetwork(text: string): boolean {
  return text.includes('/') ? ipaddr.isValidCIDR(text) : ipaddr.isValid(text);
}

const origin = z
  .string()
  .regex(
    /^(\*|https?:\/\/[a-z0-9.-]+(:\d{1,5})?|https?:\/\/\[[0-9a-f:]+\](:\d{1,5})?)$/,
    'must be * or an origin as browsers send it: scheme and host, e.g. https://dashboard.example.org',
  );
const network = z.string().refine(isNetwork, 'must be an address or a network, e.g. 10.0.0.0/8');
const requests = z.int().min(0);

export const apiConfigSchema = z.strictObject({
  listen: listenSchema.prefault('127.0.0.1:8080'),
  publicUrl: z.url({ protocol: /^https?$/ }).describe('Base URL under which callers reach the API, for links'),
  log: logSchema,
  platform: platformSchema,
  lxd: lxdSchema,
  temporal: temporalSchema,
  identity: identitySchema,
  sealing: sealingSchema,
  images: imagesSchema,
  cors: z
    .strictObject({
      allowedOrigins: z
        .array(origin)
        .default([])
        .describe('Origins of browser pages that may call, e.g. https://dashboard.example.org; * for any, without cookies'),
    })
    .prefault({}),
  trustedProxies: z
    .array(network)
    .default([])
    .describe("Addresses or networks of the proxies in front, whose X-Forwarded-For is believed; nobody else's is"),
  streams: z
    .strictObject({
      perWebspace: z.int().min(1).default(32).describe('Consoles and terminals of one webspace at once'),
      total: z.int().min(1).default(1_000).describe('Consoles and terminals of this process at once'),
      pingSeconds: z.number().min(0.2).max(300).default(10).describe('Clients are pinged so often; one that misses three is gone'),
      idleSeconds: z.int().min(0).default(7_200).describe('A stream on which nothing moves for so long is ended; 0 for never'),
      messageBytes: z.int().min(65_536).default(1_048_576).describe('Largest message of a client'),
      ticketSeconds: z.int().min(1).max(300).default(30).describe('How long a ticket for a WebSocket is good'),
      commandsPerWebspace: z.int().min(1).default(8).describe('Commands of one webspace that requests wait for at once'),
      commands: z.int().min(1).default(32).describe('Commands that requests wait for at once in this process'),
      outputBytes: z.int().min(1024).default(16_777_216).describe('Output of such a command'),
    })
    .prefault({})
    .describe('Consoles, terminals and commands'),
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
      rate: z
        .strictObject({
          windowSeconds: z.int().min(1).max(3600).default(10).describe('What the counts below are per'),
          perToken: requests.default(50_000).describe('Requests of one token; 0 for no limit'),
          changesPerToken: requests.default(1_000).describe('Of them, requests that change something; 0 for no limit'),
          perAddress: requests.default(100_000).describe('Requests of one address (IPv6: of one /64); 0 for no limit'),
        })
        .prefault({})
        .describe('Most requests this process answers; then 429. Health and metrics are not counted'),
      eventStreams: z.int().min(1).default(500).describe('Open event streams of this process'),
      shutdownSeconds: z.number().min(0).max(600).default(20).describe('How long requests may finish after SIGTERM'),
    })
    .prefault({}),
});
export type ApiConfig = DeepReadonly<z.output<typeof apiConfigSchema>>;
