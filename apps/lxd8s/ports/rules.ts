import type { AddressRange } from '#libs/domain/addresses.js';
import { macOf } from '#libs/domain/lan.js';

/** Name of the one table that is ours; no other is ever touched. */
export const TABLE = 'bridge webspaces_ports';

/** Why a frame is refused: a counter each. */
export const REASONS = [
  'unknown_port',
  'mac',
  'ethertype',
  'arp',
  'ipv4',
  'ipv6',
  'neighbour',
  'advertisement',
  'dhcp_server',
  'dhcp_client',
  'fragment',
  'link_local',
  'overlay',
  'broadcast',
  'isolation',
  'member',
  'foreign',
] as const;
export type Reason = (typeof REASONS)[number];

/** Sets of the table with what their elements are; all that changes with the ports is in them. */
export const SETS = {
  /** Where the rest of the network is: the VXLAN interface. */
  uplinks: 'type ifname;',
  /** Ports of other bridges: not ours to judge. */
  elsewhere: 'type ifname;',
  /** Ports of containers that are known; any other is refused everything. */
  ports: 'type ifname;',
  /** Those of them to which no address is reserved. */
  strangers: 'type ifname;',
  macs: 'type ifname . ether_addr;',
  ipv4s: 'type ifname . ipv4_addr;',
  ipv6s: 'type ifname . ipv6_addr;',
  /** The IPv6 addresses again, as numbers: the target of a neighbour discovery has no type of its own in nft 1.0.6. */
  targets: 'typeof iifname . @th,64,128;',
  /** The MACs again, as numbers: the client of a message of DHCP has no type of its own either. */
  clients: 'typeof iifname . @th,288,48;',
} as const;
export type SetName = keyof typeof SETS;

export interface RuleOptions {
  readonly ipv4: { readonly subnet: string; readonly router: string; readonly pool: AddressRange };
  readonly ipv6?: { readonly subnet: string; readonly router: string } | undefined;
  /** UDP port of the overlay. */
  readonly port: number;
  readonly isolation: 'strict' | 'lan';
  /** Addresses of webspaces, platform.addressRange. */
  readonly webspaces: AddressRange;
}

const MULTICAST = 'ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00';
/** Of a reason; plain words are nft's own. */
export const counterOf = (reason: Reason) => `refused_${reason}`;

const refuse = (reason: Reason) => `counter name ${counterOf(reason)} update @offenders { iifname } drop`;

/** The MACs of webspaces, and those that LXD chooses for other containers. What else is on the network is no container. */
const containers = ({ webspaces: { from, to } }: RuleOptions) => `{ ${macOf(from)}-${macOf(to)}, 00:16:3e:00:00:00-00:16:3e:ff:ff:ff }`;

/**
 * Makes the table or brings its rules in step, in one transaction; sets keep their elements, counters what they counted. Judged is what comes
 * in by a port, before the bridge learns from it: who sends it first of all, so that a spoofed frame teaches the bridge nothing.
 * There is no state, no `meta` of a bridge and no `reject` in it, which kernels may lack.
 */
export function tableScript(options: RuleOptions): string {
  const chains = { from_port: fromPort(options), arp_from: arpFrom(options), ...ipv4From(options), ...ipv6From(options) };
  const hooks = {
    prerouting: ['iifname @uplinks accept', 'iifname @elsewhere accept', 'iifname @ports goto from_port', refuse('unknown_port')],
    forward: arrivals(options),
    // Nothing on a member is for containers; what all ports get of a flood is no attempt.
    input: [`iifname @ports meta pkttype host ${refuse('member')}`, 'iifname @ports drop'],
  };
  return [
    `add table ${TABLE}`,
    ...Object.entries(SETS).map(([name, type]) => `add set ${TABLE} ${name} { ${type} }`),
    `add set ${TABLE} offenders { type ifname; size 4096; flags dynamic; counter; }`,
    ...REASONS.map((reason) => `add counter ${TABLE} ${counterOf(reason)}`),
    ...Object.keys(chains).map((chain) => `add chain ${TABLE} ${chain}`),
    ...Object.keys(hooks).map((hook) => `add chain ${TABLE} ${hook} { type filter hook ${hook} priority -300; policy accept; }`),
    ...Object.keys({ ...chains, ...hooks }).map((chain) => `flush chain ${TABLE} ${chain}`),
    ...Object.entries({ ...chains, ...hooks }).flatMap(([chain, rules]) => rules.map((rule) => `add rule ${TABLE} ${chain} ${rule}`)),
    '',
  ].join('\n');
}

function fromPort(options: RuleOptions): string[] {
  return [
    `iifname . ether saddr != @macs ${refuse('mac')}`,
    ...(options.isolation === 'strict' ? [`ether daddr ${containers(options)} ${refuse('isolation')}`] : []),
    'ether type arp goto arp_from',
    'ether type ip goto ipv4_from',
    'ether type ip6 goto ipv6_from',
    // Tagged frames, too, have a type of their own.
    refuse('ethertype'),
  ];
}

function arpFrom({ ipv4: { pool } }: RuleOptions): string[] {
  const inPool = (end: 'saddr' | 'daddr') => `iifname @strangers arp ${end} ip ${pool.from}-${pool.to}`;
  // RFC 5227: whether somebody has the address that one is about to use.
  const probe = 'arp operation request arp saddr ip 0.0.0.0';
  return [
    `iifname . arp saddr ether != @macs ${refuse('arp')}`,
    'iifname . arp saddr ip @ipv4s accept',
    `${inPool('saddr')} accept`,
    `${probe} iifname . arp daddr ip @ipv4s accept`,
    `${probe} ${inPool('daddr')} accept`,
    refuse('arp'),
  ];
}

function ipv4From({ isolation, port, ipv4: { subnet, router, pool } }: RuleOptions) {
  const strict = [
    `${MULTICAST} ${refuse('broadcast')}`,
    `ip daddr ${router} accept`,
    `ip daddr != ${subnet} accept`,
    // To anybody else on the network: answers only. The flags may be in the second of two tiny fragments.
    `ip frag-off & 0x3fff != 0 ${refuse('fragment')}`,
    'tcp flags & (ack | rst) != 0 accept',
    'icmp type { echo-reply, destination-unreachable, time-exceeded, parameter-problem } accept',
    refuse('isolation'),
  ];
  return {
    ipv4_from: [
      'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 goto dhcp_own',
      'iifname . ip saddr @ipv4s goto ipv4_own',
      `iifname @strangers ip saddr ${pool.from}-${pool.to} goto ipv4_own`,
      refuse('ipv4'),
    ],
    ipv4_own: [
      `udp sport 67 ${refuse('dhcp_server')}`,
      `udp dport ${port} ${refuse('overlay')}`,
      `ip daddr 169.254.0.0/16 ${refuse('link_local')}`,
      'udp dport 67 goto dhcp_own',
      ...(isolation === 'strict' ? strict : []),
    ],
    // By the client that the message is of (chaddr, RFC 2131): nobody gives another's lease back, or takes a pool's under many names. A fragment
    // that ends before it says no client.
    dhcp_own: ['udp sport 68 iifname . @th,288,48 @clients accept', refuse('dhcp_client')],
  };
}

function ipv6From({ isolation, port, ipv6 }: RuleOptions) {
  const strict = [
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld-listener-report, mld-listener-done, mld2-listener-report } accept',
    'ip6 daddr ff02::1:2 udp sport 546 udp dport 547 accept',
    `${MULTICAST} ${refuse('broadcast')}`,
    ...(ipv6 ? [`ip6 daddr ${ipv6.router} accept`] : []),
    `ip6 daddr != { ${['fe80::/10', ...(ipv6 ? [ipv6.subnet] : [])].join(', ')} } accept`,
    `exthdr frag exists ${refuse('fragment')}`,
    'tcp flags & (ack | rst) != 0 accept',
    'icmpv6 type { echo-reply, destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept',
    refuse('isolation'),
  ];
  return {
    ipv6_from: [
      `icmpv6 type { nd-router-advert, nd-redirect } ${refuse('advertisement')}`,
      `udp sport 547 ${refuse('dhcp_server')}`,
      // Neighbour discovery in fragments is nobody's right (RFC 6980), and hides what it is.
      `ip6 saddr fe80::/10 exthdr frag exists ${refuse('fragment')}`,
      'ip6 saddr :: icmpv6 type nd-neighbor-solicit iifname . @th,64,128 @targets accept',
      'ip6 saddr :: icmpv6 type mld2-listener-report accept',
      'iifname . ip6 saddr @ipv6s goto ipv6_own',
      refuse('ipv6'),
    ],
    ipv6_own: [
      `icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @targets ${refuse('neighbour')}`,
      `udp dport ${port} ${refuse('overlay')}`,
      ...(isolation === 'strict' ? strict : []),
    ],
  };
}

/** What another member's container sends reaches none here, whatever that member does about it. */
function arrivals(options: RuleOptions): string[] {
  if (options.isolation === 'lan') return [];
  return [`iifname @uplinks oifname @ports ether saddr ${containers(options)} counter name ${counterOf('foreign')} drop`];
}
