import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { lanSchema } from './lan.js';
import { addressRange, kubernetesSchema, listenSchema, logSchema } from './schemas.js';

const seconds = z.number().min(0.1).max(3600);

const lxd = z
  .strictObject({
    // Not a key `…File`: LXD may make it later.
    socket: z.string().min(1).default('/var/lib/lxd/unix.socket').describe('Path of the unix socket of the LXD of this pod'),
    everySeconds: seconds.default(1).describe('Pause between two questions'),
    timeoutSeconds: seconds.default(2).describe('LXD counts as silent to a question that it has not answered in this time'),
    deadSeconds: seconds.default(60).describe('Liveness fails when LXD was silent for so long'),
  })
  .prefault({});

const lease = z
  .strictObject({
    everySeconds: seconds.default(3).describe('Pause between two readings of the Lease'),
    maxSeconds: z
      .number()
      .min(1)
      .max(24 * 3600)
      .default(900)
      .describe('Longest time from a renewal that probes are lenient, whatever duration the Lease states'),
    skewSeconds: z.number().min(0).max(600).default(60).describe('A Lease renewed further ahead of this clock than that is not believed'),
  })
  .prefault({})
  .describe('The Lease <statefulSet>-upgrade of the namespace, which makes start-up and liveness lenient');

const member = z
  .strictObject({
    url: z
      .url({ protocol: /^http$/ })
      .default('http://127.0.0.1:9798')
      .describe("Where the member's process is (apps/lxd8s/member)"),
    everySeconds: seconds.default(1).describe('Pause between two questions'),
    timeoutSeconds: seconds.default(2),
  })
  .describe('The process that LXD runs under: what it waits for is not held against the member; without it only LXD is asked');

const ports = z
  .strictObject({
    bridge: z
      .string()
      .regex(/^[a-zA-Z][a-zA-Z0-9_.-]{0,14}$/, 'must be a name of at most 15 letters, digits, _ . and -')
      .describe("Bridge of the members' network on this member, platform.bridge"),
    addresses: addressRange
      .prefault({ from: '172.24.1.1', to: '172.24.191.254' })
      .describe('Addresses of webspaces, platform.addressRange; apart from lan.ipv4.pool and from all else on the network'),
    everySeconds: seconds.default(5).describe('Longest pause between two comparisons of the rules with the ports'),
  })
  .describe('Keeps each container on that bridge to its own addresses; without it nothing is watched');

/** Of `/state` of a member and of the endpoint beside it. */
export const stateFor = z
  .enum(['pod', 'anyone'])
  .default('pod')
  .describe('Who may read /state: what runs in the same pod, or anyone who reaches the port');

export const lxd8sConfigSchema = z.strictObject({
  listen: listenSchema.prefault('0.0.0.0:9797').describe("Where kubelet finds the member's probes"),
  stateFor,
  log: logSchema,
  kubernetes: kubernetesSchema,
  statefulSet: z.string().min(1).describe('StatefulSet of this pod'),
  lxd,
  lease,
  member: member.optional(),
  ports: ports.optional(),
  lan: lanSchema.prefault({}),
});
export type StateFor = z.output<typeof stateFor>;
export type Lxd8sConfig = DeepReadonly<z.output<typeof lxd8sConfigSchema>>;
