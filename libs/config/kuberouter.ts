import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { interfaceName, lanSchema } from './lan.js';
import { kubernetesSchema, listenSchema, logSchema, resolverAddress } from './schemas.js';

const seconds = z.number().min(0.1).max(600);
const port = z.int().min(1).max(65535);

const portRange = z
  .strictObject({ from: port, to: port })
  .refine(({ from, to }) => from <= to, { path: ['to'], message: 'must not be below `from`' });

/** `tcp/8082` or `udp/6000-6010`. */
const openPort = z
  .string()
  .regex(/^(?:tcp|udp)\/\d{1,5}(?:-\d{1,5})?$/, 'must be protocol/port or protocol/from-to, e.g. tcp/8082')
  .refine((text) => {
    const [from = 0, to = from] = text.slice(4).split('-').map(Number);
    return from >= 1 && from <= to && to <= 65535;
  }, 'must hold ports from 1 to 65535');

/** A network, or one address, of either family; nothing between the address and its prefix. */
const network = z.string().refine((text) => {
  if (ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text)) return true;
  if (!ipaddr.isValidCIDR(text)) return false;
  const first = text.includes(':') ? ipaddr.IPv6.networkAddressFromCIDR(text) : ipaddr.IPv4.networkAddressFromCIDR(text);
  return first.toString() === ipaddr.parseCIDR(text)[0].toString();
}, 'must be an address or a network, e.g. 10.0.0.0/8 or fd00::/8');

const outside = z
  .strictObject({
    interface: interfaceName.default('eth0').describe('By which packets leave; nothing of the LAN leaves by another one'),
    forwards: portRange
      .prefault({ from: 49152, to: 65535 })
      .describe('Ports open from outside for the gateway beside it: platform.portRange'),
    open: z
      .array(openPort)
      .optional()
      .describe('What else of this pod answers from outside, e.g. tcp/8082; without the setting all that listens does'),
    ipv6: z
      .enum(['nat66', 'routed'])
      .default('nat66')
      .describe('nat66: the LAN’s IPv6 addresses stay inside; routed: its prefix leads here from outside'),
  })
  .prefault({});

const egress = z
  .strictObject({
    closedTcpPorts: z.array(port).default([25]).describe('Ports at the outside that containers do not reach'),
    exempt: z.array(z.string().min(1)).default([]).describe('Webspaces to which egress.closedTcpPorts are open'),
    newPerSecond: z.int().min(1).default(200).describe('New connections and flows of one container each second, averaged'),
    newBurst: z.int().min(1).default(1_000).describe('How many of them at once'),
    refused: z
      .array(network)
      .default([])
      .describe('Networks that containers do not reach beside private and reserved ones: nodes, API servers with public addresses'),
    allowed: z
      .array(z.strictObject({ to: network, protocol: z.enum(['tcp', 'udp']), ports: portRange }))
      .default([])
      .describe('What of refused networks containers reach nevertheless'),
  })
  .prefault({});

const dns = z
  .strictObject({
    upstream: z
      .array(resolverAddress)
      .min(1)
      .max(8)
      .default(['1.1.1.1', '8.8.8.8'])
      .describe('Resolvers that are asked for all other names'),
    queriesPerSecond: z.int().min(1).default(500).describe('Questions of one container each second, averaged; further ones are dropped'),
  })
  .prefault({});

export const kuberouterConfigSchema = z.strictObject({
  listen: listenSchema.prefault('0.0.0.0:8185').describe('Address of health, metrics and status'),
  log: logSchema,
  kubernetes: kubernetesSchema,
  lan: lanSchema.prefault({}),
  // Not a key `…File`: the process makes it.
  stateFolder: z.string().min(1).default('/var/lib/webspaces-kuberouter').describe('Leases, reservations and the configuration of dnsmasq'),
  leaseSeconds: z.int().min(120).max(86_400).default(7_200).describe('Of addresses of the pool; reserved ones are given for ever'),
  outside,
  egress,
  dns,
  standby: z
    .strictObject({
      enabled: z.boolean().default(false).describe('Several routers, of which the one with the Lease webspaces-kuberouter routes'),
      podName: z.string().min(1).optional().describe('Its own pod: who the Lease names; without it the host name'),
      leaseSeconds: z.number().min(1).max(60).default(4).describe('A standby takes over from a router that was silent for so long'),
      copyLeasesSeconds: seconds.default(1).describe('Leases of the pool are copied to Kubernetes at most so often'),
    })
    .prefault({}),
});
export type KuberouterConfig = DeepReadonly<z.output<typeof kuberouterConfigSchema>>;
