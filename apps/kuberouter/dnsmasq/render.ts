import ipaddr from 'ipaddr.js';
import type { KuberouterConfig } from '#libs/config/kuberouter.js';
import { macOf, slaacOf } from '#libs/domain/lan.js';
import type { Reservation } from '../reservations.js';
import type { DnsmasqFiles } from './files.js';

export type DnsmasqOptions = Pick<KuberouterConfig, 'lan' | 'dns' | 'leaseSeconds'> & {
  readonly files: DnsmasqFiles;
  /** Of the interface: containers' interfaces must not take larger packets. */
  readonly mtu: number;
  /** Whose rights it keeps after its start; root's when absent. */
  readonly user?: string | undefined;
};

/** Seconds between router advertisements, and how long they count. */
const ADVERTISE = { interval: 30, lifetime: 300 };

/**
 * Configuration of dnsmasq 2.90: what a change of asks for a restart. Nobody is asked by ping before an address is given out (`no-ping`, two
 * messages suffice with `dhcp-rapid-commit`: else a lease takes 3 to 5 seconds); a client is its MAC, whatever it calls itself
 * (`dhcp-ignore-clid`). Answers from other DHCP servers' clients are refused at once (`dhcp-authoritative`).
 */
export function renderConfig({ lan, dns, leaseSeconds, files, mtu, user = 'root' }: DnsmasqOptions): string {
  const { subnet, router, pool } = lan.ipv4;
  const mask = ipaddr.IPv4.subnetMaskFromPrefixLength(ipaddr.parseCIDR(subnet)[1]).toString();
  const lines = [
    `interface=${lan.interface}`,
    'except-interface=lo',
    'bind-dynamic',
    'pid-file=',
    'log-facility=-',
    `user=${user}`,
    'quiet-dhcp',
    'quiet-ra',
    ...['no-resolv', 'no-hosts', 'no-poll', 'domain-needed', 'bogus-priv', 'cache-size=10000', 'dns-forward-max=1000'],
    ...dns.upstream.map((address) => `server=${serverOf(address)}`),
    `domain=${lan.domain}`,
    `local=/${lan.domain}/`,
    `addn-hosts=${files.names}`,
    ...['dhcp-authoritative', 'dhcp-rapid-commit', 'no-ping', 'dhcp-ignore-clid'],
    `dhcp-range=${pool.from},${pool.to},${mask},${leaseSeconds}`,
    `dhcp-hostsfile=${files.reservations}`,
    `dhcp-leasefile=${files.leases}`,
    `dhcp-lease-max=${addressesIn(subnet)}`,
    `dhcp-option=option:router,${router}`,
    `dhcp-option=option:dns-server,${router}`,
    `dhcp-option=option:mtu,${mtu}`,
    // Names by which clients look for services of the network itself: no client may take them.
    ...['wpad', 'isatap', 'localhost', 'router'].map((name) => `dhcp-name-match=set:nameless,${name}`),
    'dhcp-ignore-names=tag:nameless',
    ...(lan.ipv6
      ? [
          'enable-ra',
          `dhcp-range=${lan.ipv6.subnet.replace(/\/64$/, '')},ra-only,64,${leaseSeconds}`,
          `dhcp-option=option6:dns-server,[${lan.ipv6.router}]`,
          `dhcp-option=option6:domain-search,${lan.domain}`,
          `ra-param=${lan.interface},mtu:${mtu},${ADVERTISE.interval},${ADVERTISE.lifetime}`,
        ]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** Addresses kept for webspaces: read again by SIGHUP. */
export function renderReservations(reservations: readonly Reservation[]): string {
  return reservations.map(({ name, address }) => `${macOf(address)},${address},${name},infinite\n`).join('');
}

/** Names with their addresses, whether the webspace runs or not: read again by SIGHUP. */
export function renderNames(reservations: readonly Reservation[], { ipv4, ipv6, domain }: KuberouterConfig['lan']): string {
  const own = [{ name: 'router', address: ipv4.router, address6: ipv6?.router }];
  const theirs = reservations.map(({ name, address }) => ({ name, address, address6: ipv6 && slaacOf(ipv6.subnet, macOf(address)) }));
  return [...own, ...theirs]
    .flatMap(({ name, address, address6 }) =>
      [address, ...(address6 === undefined ? [] : [address6])].map((at) => `${at} ${name}.${domain} ${name}\n`),
    )
    .join('');
}

function addressesIn(subnet: string): number {
  return 2 ** (32 - ipaddr.parseCIDR(subnet)[1]) - 2;
}

/** `ip`, `ipv4:port` or `[ipv6]:port` as dnsmasq writes it: `ip#port`. */
function serverOf(address: string): string {
  const [, six, four, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address) ?? [];
  return port === undefined ? address : `${six ?? four}#${port}`;
}
