import type { KuberouterConfig } from '#libs/config/kuberouter.js';
import { COUNTERS, type Counts, type Refusal } from './counters.js';
import { REFUSED_IPV4, REFUSED_IPV6 } from './networks.js';
import { elementsOf, type RuleSets, setName } from './sets.js';
import { TABLE } from './table.js';

export type RulesetOptions = Pick<KuberouterConfig, 'lan' | 'outside' | 'egress' | 'dns'>;

/**
 * The whole table as one transaction: packets meet the former rules or these, never none. Connections go on, since their state and their
 * translations are the kernel's; counters begin at what is given.
 */
export function rulesetText(options: RulesetOptions, sets: RuleSets, counts: Counts = new Map()): string {
  const body = [
    ...COUNTERS.map((name) => {
      const { packets, bytes } = counts.get(name) ?? { packets: 0, bytes: 0 };
      return `counter ${name} { packets ${packets} bytes ${bytes}; }`;
    }),
    ...setLines(options, sets),
    ...refusals(),
    ...chain('measure', measureRules(options)),
    ...chain('source', sourceRules(options), 'type filter hook prerouting priority raw; policy accept;'),
    ...chain('input', inputRules(options), 'type filter hook input priority filter; policy accept;'),
    ...chain('forward', forwardRules(options), 'type filter hook forward priority filter; policy accept;'),
    ...chain('postrouting', postroutingRules(options), 'type nat hook postrouting priority srcnat; policy accept;'),
  ];
  return [`table ${TABLE}`, `delete table ${TABLE}`, `table ${TABLE} {`, ...body.map((line) => `  ${line}`), '}', ''].join('\n');
}

function chain(name: string, rules: readonly string[], hook?: string): string[] {
  return [`chain ${name} {`, ...(hook === undefined ? [] : [`  ${hook}`]), ...rules.map((rule) => `  ${rule}`), '}'];
}

/** What a container is told when it is refused: TCP a reset, so that it meets "refused"; all else ICMP's "prohibited". */
function refusals(): string[] {
  const reasons: Refusal[] = ['router', 'private', 'container', 'port', 'rate', 'queries', 'elsewhere', 'entry', 'outside'];
  return reasons.flatMap((reason) =>
    chain(`refuse_${reason}`, [
      `counter name refused_${reason}`,
      'meta l4proto tcp reject with tcp reset',
      'reject with icmpx type admin-prohibited',
    ]),
  );
}

function setLines({ egress }: RulesetOptions, sets: RuleSets): string[] {
  const own = (family: 4 | 6) => egress.refused.filter((network) => network.includes(':') === (family === 6));
  const ranges = (name: string, type: string, networks: readonly string[]) =>
    `set ${name} { type ${type}; flags interval; auto-merge;${networks.length === 0 ? '' : ` elements = { ${networks.join(', ')} };`} }`;
  const meters = (['ipv4_addr', 'ipv6_addr'] as const).flatMap((type) =>
    ['new', 'queries'].map((what) => `set ${what}${type[3]} { type ${type}; flags dynamic,timeout; size 65535; timeout 1m; }`),
  );
  const kept = elementsOf(sets).map(
    ({ name, type, elements }) => `set ${name} { type ${type};${elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`} }`,
  );
  return [
    ranges('private4', 'ipv4_addr', REFUSED_IPV4),
    ranges('private6', 'ipv6_addr', REFUSED_IPV6),
    ranges('configured4', 'ipv4_addr', own(4)),
    ranges('configured6', 'ipv6_addr', own(6)),
    ...meters,
    ...kept,
  ];
}

/** Before anything is remembered of a packet: whether its source can be where it came from. */
function sourceRules({ lan }: RulesetOptions): string[] {
  const here = `iifname "${lan.interface}"`;
  const drop = 'counter name refused_spoofed drop';
  const ipv6 = lan.ipv6
    ? [
        `${here} ip6 saddr { ::, fe80::/10 } accept`,
        `${here} ip6 saddr ${lan.ipv6.router} drop`,
        `${here} ip6 saddr != ${lan.ipv6.subnet} ${drop}`,
        `iifname != { "${lan.interface}", "lo" } ip6 saddr ${lan.ipv6.subnet} ${drop}`,
      ]
    : [`${here} meta nfproto ipv6 counter name refused_ipv6 drop`];
  return [
    `${here} ip saddr 0.0.0.0 udp dport 67 accept`,
    // A standby hears the active router.
    `${here} ip saddr ${lan.ipv4.router} drop`,
    `${here} ip saddr != ${lan.ipv4.subnet} ${drop}`,
    `iifname != { "${lan.interface}", "lo" } ip saddr ${lan.ipv4.subnet} ${drop}`,
    ...ipv6,
  ];
}

function inputRules(options: RulesetOptions): string[] {
  const { lan, outside } = options;
  const fromOutside =
    outside.open === undefined ? [] : entryRules(options, outside.open).map((rule) => `iifname "${outside.interface}" ${rule}`);
  return [
    `iifname { "${lan.interface}", "${outside.interface}" } ct state established,related accept`,
    ...serviceRules(options).map((rule) => `iifname "${lan.interface}" ${rule}`),
    ...fromOutside,
  ];
}

/** What containers need of the router itself. */
function serviceRules({ lan, dns }: RulesetOptions): string[] {
  const few = 'limit rate 1000/second burst 1000 packets accept';
  const asked = (family: 'ip' | 'ip6', router: string) => {
    const meter = `queries${family === 'ip' ? 4 : 6} { ${family} saddr limit rate over ${dns.queriesPerSecond}/second burst ${dns.queriesPerSecond} packets }`;
    const question = `${family} daddr ${router} meta l4proto { tcp, udp } th dport 53`;
    return [`${question} add @${meter} goto refuse_queries`, `${question} accept`];
  };
  const neighbours = 'nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert';
  return [
    'ct state invalid drop',
    'udp sport 68 udp dport 67 accept',
    ...asked('ip', lan.ipv4.router),
    `icmp type echo-request ip daddr ${lan.ipv4.router} ${few}`,
    ...(lan.ipv6
      ? [
          ...asked('ip6', lan.ipv6.router),
          `icmpv6 type { ${neighbours} } accept`,
          `icmpv6 type echo-request ip6 daddr { ${lan.ipv6.router}, fe80::/10 } ${few}`,
        ]
      : []),
    // What is said to all is for others, too.
    'meta pkttype { broadcast, multicast } drop',
    'goto refuse_router',
  ];
}

/** What answers from outside: forwarded ports, the underlay of the LAN, and what is configured. */
function entryRules({ lan, outside: { forwards } }: RulesetOptions, open: readonly string[]): string[] {
  return [
    'meta l4proto { icmp, icmpv6 } accept',
    `meta l4proto { tcp, udp } th dport ${forwards.from}-${forwards.to} accept`,
    `udp dport ${lan.port} accept`,
    ...open.map((port) => `${port.slice(0, 3)} dport ${port.slice(4)} accept`),
    'goto refuse_outside',
  ];
}

function forwardRules(options: RulesetOptions): string[] {
  const { lan, outside } = options;
  const [inside, out] = [`iifname "${lan.interface}"`, `oifname "${outside.interface}"`];
  return [
    `${inside} ${out} counter name sent`,
    `iifname "${outside.interface}" oifname "${lan.interface}" counter name received`,
    `${inside} ct state established,related accept`,
    ...containerRules(options).map((rule) => `${inside} ${rule}`),
    // From outside: what the gateway has led here, and answers.
    `oifname "${lan.interface}" ct state established,related accept`,
    `oifname "${lan.interface}" ct state invalid drop`,
    `oifname "${lan.interface}" ct status dnat accept`,
    `oifname "${lan.interface}" goto refuse_entry`,
  ];
}

/** A new connection of a container: what it may not reach first, then how many it may open. The exceptions go before. */
function containerRules({ lan, outside, egress }: RulesetOptions): string[] {
  const families = lan.ipv6 ? ([4, 6] as const) : ([4] as const);
  const word = (family: 4 | 6) => (family === 4 ? 'ip' : 'ip6');
  const each = (rule: (family: 4 | 6) => string) => families.map(rule);
  // Of connections between containers answers may take the short way: the router sees half of them.
  const away = `oifname != "${lan.interface}"`;
  const unknown = `${away} ct state new tcp flags & (fin | syn | rst | ack) != syn`;
  const allowed = egress.allowed.map(
    ({ to, protocol, ports }) => `${to.includes(':') ? 'ip6' : 'ip'} daddr ${to} ${protocol} dport ${ports.from}-${ports.to}`,
  );
  const closed = egress.closedTcpPorts;
  return [
    `${away} ct state invalid drop`,
    // After a failover: the client's next packet tells whose connection it is, so its answer waits; nobody can tell of any other.
    `${unknown} ip saddr . meta l4proto . th sport @${setName('served')} counter name refused_midstream drop`,
    `${unknown} counter name refused_midstream reject with tcp reset`,
    ...allowed.flatMap((match) => [`${match} jump measure`, `${match} accept`]),
    ...each((family) => `${word(family)} daddr @configured${family} goto refuse_private`),
    `oifname "${lan.interface}" ct status dnat goto refuse_container`,
    `oifname "${lan.interface}" ${lan.isolation === 'lan' ? 'accept' : 'goto refuse_container'}`,
    ...each((family) => `${word(family)} daddr @private${family} goto refuse_private`),
    ...(closed.length === 0
      ? []
      : each((family) => `tcp dport { ${closed.join(', ')} } ${word(family)} saddr != @${setName('exempt', family)} goto refuse_port`)),
    'jump measure',
    `oifname "${outside.interface}" accept`,
    'goto refuse_elsewhere',
  ];
}

/** What one container may open in a second. */
function measureRules({ lan, egress }: RulesetOptions): string[] {
  const rule = (family: 4 | 6) => {
    const limit = `limit rate over ${egress.newPerSecond}/second burst ${egress.newBurst} packets`;
    return `ct state new add @new${family} { ${family === 4 ? 'ip' : 'ip6'} saddr ${limit} } goto refuse_rate`;
  };
  return [rule(4), ...(lan.ipv6 ? [rule(6)] : [])];
}

function postroutingRules({ lan, outside }: RulesetOptions): string[] {
  const out = `oifname "${outside.interface}"`;
  const ipv6 = lan.ipv6 && outside.ipv6 === 'nat66' ? [`ip6 saddr ${lan.ipv6.subnet} ${out} masquerade`] : [];
  return [`ip saddr ${lan.ipv4.subnet} ${out} masquerade`, ...ipv6];
}
