import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { ipv4, kubernetesSchema, listenSchema, logSchema, temporalSchema } from './schemas.js';

const seconds = z.number().min(0.1).max(600);

const boot = z
  .strictObject({
    holdSeconds: seconds.default(60).describe('Longest wait of a visitor for a webspace that boots'),
    backOffSeconds: seconds
      .default(1)
      .describe('After a failed boot the next one waits this long, twice as long after each further failure'),
    backOffMaxSeconds: seconds.default(30).describe('Longest such wait'),
    waiting: z.int().min(1).default(10_000).describe('Visitors who wait at once in this process; further ones are refused'),
    waitingPerWebspace: z.int().min(1).default(2_000).describe('Visitors who wait for one webspace at once'),
  })
  .prefault({});

const ports = z
  .strictObject({
    forwarding: z
      .enum(['kernel', 'userspace'])
      .default('kernel')
      .describe(
        'kernel: nftables for webspaces that run (needs NET_ADMIN); userspace: everything through listeners, without any privilege',
      ),
    hostAddress: ipv4.optional().describe('The one address of this machine at which ports are forwarded; without it all of them'),
    snat: z
      .boolean()
      .default(false)
      .describe('Containers see the gateway instead of the client: where their way back leads elsewhere. Then every gateway is active'),
    listeners: z
      .int()
      .min(1)
      .max(131_072)
      .default(16_384)
      .describe('Listeners at once; further forwards of webspaces that are off are refused'),
    streams: z.int().min(1).default(20_000).describe('Connections and UDP flows through this process at once; further ones are refused'),
    udpIdleSeconds: seconds.default(60).describe('A UDP flow that was silent for so long is forgotten'),
    leaseSeconds: z.number().min(1).max(60).default(4).describe('A standby takes over from an active gateway that was silent for so long'),
    follows: z
      .string()
      .min(1)
      .optional()
      .describe('A Lease of others, as webspaces-kuberouter: this gateway is active while the Lease names its pod (ports.podName)'),
    podName: z.string().min(1).optional().describe('Its own pod, which gets the label that the Services of forwarded ports select'),
  })
  .refine(({ follows, podName }) => follows === undefined || podName !== undefined, {
    path: ['podName'],
    message: 'is needed with ports.follows',
  })
  .prefault({});

const settings = z.strictObject({
  role: z.enum(['http', 'ports']).describe('http: sites, by host name and SNI; ports: forwarded ports'),
  listen: listenSchema.prefault('127.0.0.1:8082').describe('Address of health, metrics and status'),
  log: logSchema,
  kubernetes: kubernetesSchema,
  temporal: temporalSchema,
  boot,
  http: z
    .strictObject({
      listen: listenSchema.prefault('0.0.0.0:8080').describe("Where Traefik finds the gateway's port http"),
      tlsListen: listenSchema.prefault('0.0.0.0:8443').describe("Where Traefik finds the gateway's port tls (SNI passthrough)"),
    })
    .prefault({}),
  ports,
  limits: z
    .strictObject({
      temporalTimeoutMs: z.int().min(100).max(30_000).default(2_500).describe('Deadline of one call to Temporal'),
      shutdownSeconds: z.number().min(0).max(600).default(30).describe('How long connections may finish after SIGTERM'),
    })
    .prefault({}),
});

export const gatewayConfigSchema = settings;
export type GatewayConfig = DeepReadonly<z.output<typeof gatewayConfigSchema>>;
