import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { dnsName, ipv4 } from './schemas.js';

/** The section `lan`, the same in kubelan, kuberouter and the members' processes: each takes what concerns it. */

/** An address with the length of its prefix, as `ip address` takes it, e.g. `172.24.0.1/16`. */
export const interfaceAddress = z.string().refine((text) => ipaddr.isValidCIDR(text), 'must be address/length, e.g. 172.24.0.1/16');

export const interfaceName = z.string().regex(/^[a-zA-Z][a-zA-Z0-9_.-]{0,14}$/, 'must be a name of at most 15 letters, digits, _ . and -');

const ipv6 = z.string().refine((text) => ipaddr.IPv6.isValid(text), 'must be an IPv6 address');

function subnet(kind: 'ipv4' | 'ipv6', { from, to }: { readonly from: number; readonly to: number }) {
  return z.string().refine(
    (text) => {
      if (!ipaddr.isValidCIDR(text)) return false;
      const [address, length] = ipaddr.parseCIDR(text);
      if (address.kind() !== kind || length < from || length > to) return false;
      const first = kind === 'ipv4' ? ipaddr.IPv4.networkAddressFromCIDR(text) : ipaddr.IPv6.networkAddressFromCIDR(text);
      return first.toString() === address.toString();
    },
    `must be a network of ${kind === 'ipv4' ? 'IPv4' : 'IPv6'}, with a length of ${from === to ? from : `${from} to ${to}`}`,
  );
}

/** Whether an address is one of a subnet, both of one family. False for what is no address or no subnet: their own checks say so. */
function within(address: string, range: string): boolean {
  if (!ipaddr.isValid(address) || !ipaddr.isValidCIDR(range)) return false;
  const [network, length] = ipaddr.parseCIDR(range);
  const parsed = ipaddr.parse(address);
  return parsed.kind() === network.kind() && parsed.match(network, length);
}

const numberOf = (address: string) => ipaddr.IPv4.parse(address).octets.reduce((sum, octet) => sum * 256 + octet, 0);

const ipv4Schema = z
  .strictObject({
    subnet: subnet('ipv4', { from: 8, to: 29 }).default('172.24.0.0/16'),
    router: ipv4.default('172.24.254.1').describe('Address of the router, the containers’ default route and resolver'),
    pool: z
      .strictObject({ from: ipv4.default('172.24.192.1'), to: ipv4.default('172.24.253.254') })
      .prefault({})
      .describe('What the router leases to whom no address is reserved; apart from platform.addressRange'),
  })
  .superRefine(({ subnet: range, router, pool }, context) => {
    const wrong = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (!within(router, range)) wrong(['router'], `must be in ${range}`);
    for (const end of ['from', 'to'] as const) if (!within(pool[end], range)) wrong(['pool', end], `must be in ${range}`);
    if (![pool.from, pool.to, router].every((address) => ipaddr.IPv4.isValidFourPartDecimal(address))) return;
    const [from, to, own] = [numberOf(pool.from), numberOf(pool.to), numberOf(router)];
    if (from > to) wrong(['pool', 'to'], 'must not be below `from`');
    if (from <= own && own <= to) wrong(['pool'], "must not hold the router's address");
  });

const ipv6Schema = z
  .strictObject({ subnet: subnet('ipv6', { from: 64, to: 64 }), router: ipv6.describe('Address of the router in that subnet') })
  .superRefine(({ subnet: range, router }, context) => {
    if (!within(router, range)) context.addIssue({ code: 'custom', path: ['router'], message: `must be in ${range}` });
  });

const serviceName = z
  .string()
  .regex(/^(?:[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\/)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be name or namespace/name');

export const lanSchema = z
  .strictObject({
    interface: interfaceName.default('webspaces-lan').describe('Name of the VXLAN interface in every pod'),
    vni: z
      .int()
      .min(1)
      .max(2 ** 24 - 1)
      .default(6969)
      .describe('VXLAN network identifier; one LAN, one number'),
    port: z
      .int()
      .min(1)
      .max(65535)
      .default(4789)
      .describe('UDP port of the underlay; with Calico another one, which drops what pods send to 4789'),
    mtu: z
      .int()
      .min(576)
      .max(65_485)
      .optional()
      .describe("Without it the underlay's less 50, less 70 over IPv6, and less again what encryption takes"),
    services: z.array(serviceName).max(64).default([]).describe('Services whose pods are on the LAN: name, or namespace/name'),
    encryption: z.enum(['none', 'wireguard']).default('none').describe('wireguard: members reach each other through tunnels of their own'),
    ipv4: ipv4Schema.prefault({}),
    ipv6: ipv6Schema.optional(),
    domain: dnsName.default('webspace').describe('Containers are <name>.<domain> for each other'),
    isolation: z.enum(['strict', 'lan']).default('strict').describe('strict: containers reach the router only; lan: each other, too'),
  })
  .describe("The members' private network");
export type LanConfig = z.output<typeof lanSchema>;
