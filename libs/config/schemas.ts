import ipaddr from 'ipaddr.js';
import { z } from 'zod';

/** The pieces that several processes' configurations share. All are strict: an unknown key is an error. */

const DNS_LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
export const dnsName = z
  .string()
  .regex(new RegExp(`^${DNS_LABEL}(?:\\.${DNS_LABEL})*$`), 'must be a DNS name in lower case, e.g. ws.example.org');
export const file = z.string().min(1);
export const ipv4 = z.string().refine((text) => ipaddr.IPv4.isValidFourPartDecimal(text), 'must be an IPv4 address');
const port = z.int().min(1).max(65535);

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export const logSchema = z
  .strictObject({ level: z.enum(LOG_LEVELS).default('info').describe('Least level that is written') })
  .prefault({})
  .describe('Logging: JSON lines on standard output');

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `host:port` or `[IPv6]:port`; port 0 lets the system choose. */
export const listenSchema = z
  .string()
  .regex(/^(?:\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5}$/, 'must be host:port, e.g. 127.0.0.1:8080 or [::]:8080')
  .transform((text, context): ListenAddress => {
    const at = text.lastIndexOf(':');
    const number = Number(text.slice(at + 1));
    if (number > 65535) context.addIssue({ code: 'custom', message: 'the port must be at most 65535' });
    return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: number };
  })
  .describe('Address to listen on, host:port');

export const addressRange = z
  .strictObject({ from: ipv4, to: ipv4 })
  .refine(({ from, to }) => toNumber(from) <= toNumber(to), { path: ['to'], message: 'must not be below `from`' });

function toNumber(address: string): number {
  return ipaddr.IPv4.isValidFourPartDecimal(address) ? ipaddr.IPv4.parse(address).octets.reduce((sum, octet) => sum * 256 + octet, 0) : 0;
}

export const platformSchema = z
  .strictObject({
    baseDomain: dnsName.describe('Webspaces are <user>.<baseDomain>'),
    instancePrefix: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,20}$/, 'must begin with a letter and hold a-z, 0-9 and - only')
      .default('ws-')
      .describe('First part of the names of LXD instances'),
    profiles: z.array(z.string().min(1)).min(1).default(['default']).describe('LXD profiles of a new webspace'),
    network: z.string().min(1).default('lxdbr0').describe('LXD network of the webspaces'),
    bridge: z
      .string()
      .regex(/^[a-zA-Z][a-zA-Z0-9_.-]{0,14}$/, 'must be a name of at most 15 letters, digits, _ . and -')
      .optional()
      .describe("Bridge of the members' private network, which LXD does not manage; with it webspaces are there and not on `network`"),
    nic: z
      .strictObject({
        isolation: z.enum(['strict', 'lan']).default('strict').describe('strict: webspaces do not reach each other; lan: they do'),
      })
      .prefault({})
      .describe('What the network interface of a webspace may do'),
    addressRange: addressRange.describe('Addresses handed out to webspaces; outside the DHCP range'),
    entryPoint: z.string().min(1).default('websecure').describe("Traefik's HTTPS entry point"),
    defaultTlsSecret: z
      .string()
      .min(1)
      .optional()
      .describe("TLS Secret that covers *.<baseDomain>; without it Traefik's default certificate"),
    certificateIssuer: z
      .strictObject({
        kind: z.string().min(1).default('ClusterIssuer'),
        name: z.string().min(1),
        group: z.string().min(1).default('cert-manager.io'),
      })
      .optional()
      .describe("cert-manager's issuer for custom domains; without it they are served with the certificate of the base domain"),
    forwarding: z
      .strictObject({
        serviceType: z.enum(['LoadBalancer', 'ClusterIP']).default('LoadBalancer'),
        annotations: z.record(z.string(), z.string()).default({}).describe('E.g. what lets a load balancer give all of them one address'),
      })
      .prefault({})
      .describe('Services of forwarded ports, one for each webspace that has any; they lead to the gateway'),
    portRange: z
      .strictObject({ from: port.default(49152), to: port.default(65535) })
      .refine(({ from, to }) => from <= to, { path: ['to'], message: 'must not be below `from`' })
      .prefault({})
      .describe('External ports that may be forwarded'),
    publicPort: port.default(443).describe('Port of the entry point as visitors see it'),
    defaults: z
      .strictObject({
        httpPort: port.default(80),
        startupDelaySeconds: z.number().min(0).max(60).default(3),
      })
      .prefault({})
      .describe('What a new webspace begins with'),
    reservedDomains: z
      .array(dnsName)
      .default(['localhost', 'local', 'internal', 'invalid', 'onion', 'arpa', 'alt'])
      .describe('Names that no member may bring, with all names below them; those of the base domain never may'),
    addressRestSeconds: z.int().min(0).default(600).describe('How long a released address rests before it is handed out again'),
    limits: z
      .strictObject({
        startupDelaySeconds: z.number().min(0).max(60).default(60).describe('Longest wait for the port of a webspace that boots'),
        portForwards: z.int().min(0).max(1024).default(64).describe('Forwards per webspace'),
        domains: z.int().min(0).max(1024).default(32).describe('Custom domains per webspace'),
      })
      .prefault({}),
  })
  .describe('The platform as members see it');
export type PlatformConfig = z.output<typeof platformSchema>;

export const resolverAddress = z
  .string()
  .refine(isResolver, 'must be an IP address, with or without port, e.g. 192.0.2.53 or [2001:db8::53]:5353');

/** As node:dns takes it: `ip`, `ipv4:port` or `[ipv6]:port`. */
function isResolver(text: string): boolean {
  const [, six, four, at] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  if (Number(at ?? 0) > 65535) return false;
  if (six !== undefined) return ipaddr.IPv6.isValid(six);
  return ipaddr.IPv4.isValidFourPartDecimal(four ?? text) || (four === undefined && ipaddr.IPv6.isValid(text));
}

export const dnsSchema = z
  .strictObject({
    resolvers: z.array(resolverAddress).max(8).default([]).describe("Asked in this order; none: the system's"),
    timeoutMs: z
      .int()
      .min(50)
      .max(10_000)
      .default(2_000)
      .describe('Wait for the first try at a resolver; each further one waits twice as long'),
    tries: z.int().min(1).max(5).default(2),
  })
  .prefault({})
  .describe('Where the TXT records that prove custom domains are asked');

const lxdSocket = z.strictObject({ socket: file.describe('Path of the unix socket') });
const lxdHttps = z.strictObject({
  url: z.url({ protocol: /^https$/ }).describe('https://host:8443'),
  clientCertFile: file,
  clientKeyFile: file,
  serverCertFile: file.describe('Certificate that the server must show'),
});
export const lxdSchema = z
  .union([lxdSocket, lxdHttps])
  .describe('LXD: a unix socket, or HTTPS with client certificate and pinned server certificate');
export type LxdConfig = z.output<typeof lxdSchema>;

export const kubernetesSchema = z
  .strictObject({
    kubeconfig: file.optional().describe("Path; without it the pod's own credential is used"),
    server: z
      .url({ protocol: /^https$/ })
      .optional()
      .describe("Address of the API server for the pod's own credential; Kubernetes tells it to every pod"),
    namespace: z
      .string()
      .regex(new RegExp(`^${DNS_LABEL}$`))
      .default('webspaces'),
  })
  .prefault({});
export type KubernetesConfig = z.output<typeof kubernetesSchema>;

export const temporalSchema = z.strictObject({
  address: z.string().regex(/^[^\s/]+:\d{1,5}$/, 'must be host:port'),
  namespace: z.string().min(1).default('default'),
  uiUrl: z.url({ protocol: /^https?$/ }).describe('Base URL of Temporal UI, for links'),
  tls: z
    .strictObject({
      serverCaFile: file.optional(),
      clientCertFile: file.optional(),
      clientKeyFile: file.optional(),
      serverName: z.string().min(1).optional(),
    })
    .refine((tls) => (tls.clientCertFile === undefined) === (tls.clientKeyFile === undefined), {
      path: ['clientKeyFile'],
      message: 'clientCertFile and clientKeyFile belong together',
    })
    .optional()
    .describe('Present (also empty): TLS is used'),
});
export type TemporalConfig = z.output<typeof temporalSchema>;

export const sealingSchema = z.strictObject({
  keyFile: file.describe('JSON {"current":"k1","keys":{"k1":"<base64 of 32 bytes>"}}'),
  groupReadable: z.boolean().default(false).describe('Accept a key file that its group may read (a mounted Secret with fsGroup)'),
});
export type SealingConfig = z.output<typeof sealingSchema>;
