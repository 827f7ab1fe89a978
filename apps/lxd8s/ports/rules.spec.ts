import { describe, expect, test } from '@jest/globals';
import { changeScript, type Elements, elementsOf, parseListing } from './elements.js';
import { portsFromLxd } from './from-lxd.js';
import { parseLinks, portsOf } from './links.js';
import { counterOf, REASONS, type RuleOptions, SETS, tableScript } from './rules.js';

const WEBSPACES = { from: '172.24.1.1', to: '172.24.191.254' };
const OPTIONS: RuleOptions = {
  ipv4: { subnet: '172.24.0.0/16', router: '172.24.254.1', pool: { from: '172.24.192.1', to: '172.24.253.254' } },
  ipv6: { subnet: 'fd00:24::/64', router: 'fd00:24::1' },
  port: 4789,
  isolation: 'strict',
  webspaces: WEBSPACES,
};
const PLACE = { bridge: 'lxd-lan', uplink: 'webspaces-lan', webspaces: WEBSPACES };
const bridged = (ifname: string, master: string, isolated = false) => ({
  ifname,
  master,
  linkinfo: { info_kind: 'veth', info_slave_kind: 'bridge', info_slave_data: { isolated } },
});
const LINKS = parseLinks(
  JSON.stringify([
    {},
    { ifname: 'lo' },
    { ifname: 'lxd-lan', linkinfo: { info_kind: 'bridge' } },
    bridged('webspaces-lan', 'lxd-lan'),
    bridged('wsac180102', 'lxd-lan', true),
    bridged('wsac18fe01', 'lxd-lan'),
    bridged('veth1', 'lxd-lan'),
    bridged('veth2', 'lxdbr0'),
  ]),
);
const none: Elements = elementsOf({ uplinks: [], elsewhere: [], known: new Map() }, undefined);
const rulesOf = (script: string, chain: string) =>
  script
    .split('\n')
    .flatMap((line) => (line.startsWith(`add rule bridge webspaces_ports ${chain} `) ? [line.slice(33 + chain.length)] : []));

describe('the ports of a member', () => {
  test('are what their names say, what LXD tells, or closed', () => {
    const ports = portsOf(LINKS, PLACE, new Map());
    expect(ports).toEqual({
      uplinks: ['webspaces-lan'],
      elsewhere: ['veth2'],
      known: new Map([['wsac180102', { mac: '02:57:ac:18:01:02', address: '172.24.1.2' }]]),
      // Named by the router's address, which is no webspace's.
      unknown: ['wsac18fe01', 'veth1'],
    });
    const told = new Map([['veth1', { mac: '00:16:3e:00:00:01' }]]);
    expect(portsOf(LINKS, PLACE, told)).toMatchObject({ unknown: ['wsac18fe01'] });
    expect(portsOf(LINKS, PLACE, told).known.get('veth1')).toEqual({ mac: '00:16:3e:00:00:01' });
  });

  test('that LXD tells have an address when their record says one', () => {
    const instance = (name: string, config: Record<string, string>) => ({ name, config, expanded_devices: {} }) as never;
    const volatile = { 'volatile.eth0.host_name': 'veth1', 'volatile.eth0.hwaddr': '00:16:3E:AA:00:01' };
    expect(portsFromLxd([instance('other', volatile)])).toEqual(new Map([['veth1', { mac: '00:16:3e:aa:00:01', address: undefined }]]));
    expect(portsFromLxd([instance('broken', { ...volatile, 'user.webspaces.record': '{' })]).get('veth1')?.address).toBeUndefined();
    expect(portsFromLxd([instance('stopped', { 'volatile.eth0.hwaddr': '00:16:3e:aa:00:01' })])).toEqual(new Map());
  });
});

describe('elements', () => {
  const wanted = elementsOf(portsOf(LINKS, PLACE, new Map([['veth1', { mac: '00:16:3e:00:00:01' }]])), 'fd00:24::/64');

  test('tie a port to its MAC and to its addresses, a stranger to its MAC only', () => {
    expect(Object.fromEntries(Object.entries(wanted).map(([name, set]) => [name, [...set]]))).toEqual({
      uplinks: ['"webspaces-lan"'],
      elsewhere: ['"veth2"'],
      ports: ['"wsac180102"', '"veth1"'],
      strangers: ['"veth1"'],
      macs: ['"wsac180102" . 02:57:ac:18:01:02', '"veth1" . 00:16:3e:00:00:01'],
      ipv4s: ['"wsac180102" . 172.24.1.2'],
      ipv6s: [
        '"wsac180102" . fe80::57:acff:fe18:102',
        '"wsac180102" . fd00:24::57:acff:fe18:102',
        '"veth1" . fe80::216:3eff:fe00:1',
        '"veth1" . fd00:24::216:3eff:fe00:1',
      ],
      targets: [
        '"wsac180102" . 0xfe800000000000000057acfffe180102',
        '"wsac180102" . 0xfd000024000000000057acfffe180102',
        '"veth1" . 0xfe8000000000000002163efffe000001',
        '"veth1" . 0xfd0000240000000002163efffe000001',
      ],
      clients: ['"wsac180102" . 0x257ac180102', '"veth1" . 0x163e000001'],
    });
  });

  test('change by their difference, and what leaves goes first', () => {
    const without = elementsOf(portsOf(LINKS, PLACE, new Map()), 'fd00:24::/64');
    expect(changeScript(wanted, wanted)).toBe('');
    expect(changeScript(none, without).split('\n')[0]).toBe('add element bridge webspaces_ports uplinks { "webspaces-lan" }');
    expect(changeScript(wanted, { ...without, elsewhere: new Set(['"veth3"']) }).split('\n')).toEqual([
      'delete element bridge webspaces_ports elsewhere { "veth2" }',
      'delete element bridge webspaces_ports ports { "veth1" }',
      'delete element bridge webspaces_ports strangers { "veth1" }',
      'delete element bridge webspaces_ports macs { "veth1" . 00:16:3e:00:00:01 }',
      'delete element bridge webspaces_ports ipv6s { "veth1" . fe80::216:3eff:fe00:1, "veth1" . fd00:24::216:3eff:fe00:1 }',
      'delete element bridge webspaces_ports targets { "veth1" . 0xfe8000000000000002163efffe000001, "veth1" . 0xfd0000240000000002163efffe000001 }',
      'delete element bridge webspaces_ports clients { "veth1" . 0x163e000001 }',
      'add element bridge webspaces_ports elsewhere { "veth3" }',
      '',
    ]);
  });

  test('are read as they were written', () => {
    const elem = (set: ReadonlySet<string>) =>
      [...set].map((text) => {
        const [name = '', value] = text.split(' . ');
        // Numbers of up to 64 bits are numbers in the listing, larger ones texts.
        const tied = value?.startsWith('0x') && value.length < 18 ? Number(value) : value;
        return tied === undefined ? name.slice(1, -1) : { concat: [name.slice(1, -1), tied] };
      });
    const sets = Object.entries(wanted).map(([name, set]) => ({ set: { name, elem: elem(set) } }));
    const counters = REASONS.map((name, packets) => ({ counter: { name: counterOf(name), packets } }));
    const offenders = { set: { name: 'offenders', elem: [{ elem: { val: 'veth1', counter: { packets: 7, bytes: 0 } } }] } };
    const listing = parseListing(
      JSON.stringify({ nftables: [{ metainfo: {} }, ...sets, ...counters, offenders, { rule: { chain: 'a' } }] }),
    );
    expect(listing.elements).toEqual(wanted);
    expect(listing.offenders).toEqual(new Map([['veth1', 7]]));
    expect(listing.refused.mac).toBe(REASONS.indexOf('mac'));
    expect(() => parseListing('{"nftables": []}')).toThrow(/not ours/);
  });
});

describe('the table', () => {
  const strict = tableScript(OPTIONS);

  test('judges what comes in by the port it comes by', () => {
    expect(rulesOf(strict, 'prerouting')).toEqual([
      'iifname @uplinks accept',
      'iifname @elsewhere accept',
      'iifname @ports goto from_port',
      'counter name refused_unknown_port update @offenders { iifname } drop',
    ]);
    expect(rulesOf(strict, 'from_port')).toEqual([
      'iifname . ether saddr != @macs counter name refused_mac update @offenders { iifname } drop',
      'ether daddr { 02:57:ac:18:01:01-02:57:ac:18:bf:fe, 00:16:3e:00:00:00-00:16:3e:ff:ff:ff } counter name refused_isolation update @offenders { iifname } drop',
      'ether type arp goto arp_from',
      'ether type ip goto ipv4_from',
      'ether type ip6 goto ipv6_from',
      'counter name refused_ethertype update @offenders { iifname } drop',
    ]);
  });

  test('takes messages of DHCP only of the port’s own client, whole up to its name', () => {
    expect(rulesOf(strict, 'dhcp_own')).toEqual([
      'udp sport 68 iifname . @th,288,48 @clients accept',
      'counter name refused_dhcp_client update @offenders { iifname } drop',
    ]);
    for (const chain of ['ipv4_from', 'ipv4_own']) expect(rulesOf(strict, chain).join()).not.toMatch(/dport 67 accept/);
  });

  test('lets containers reach each other where the network is theirs, and still no one else speak for them', () => {
    const lan = tableScript({ ...OPTIONS, isolation: 'lan' });
    expect(rulesOf(lan, 'forward')).toEqual([]);
    expect(lan).not.toMatch(/counter name refused_(isolation|foreign|broadcast) /);
    for (const chain of ['arp_from', 'ipv4_from', 'ipv6_from']) expect(rulesOf(lan, chain)).toEqual(rulesOf(strict, chain));
  });

  test('knows no IPv6 but link-local where the network has none', () => {
    const { ipv6: _, ...without } = OPTIONS;
    expect(tableScript(without)).toContain('ip6 daddr != { fe80::/10 } accept');
    expect(elementsOf({ uplinks: [], elsewhere: [], known: new Map([['a', { mac: '02:57:ac:18:01:02' }]]) }, undefined).ipv6s).toEqual(
      new Set(['"a" . fe80::57:acff:fe18:102']),
    );
  });

  test('has a counter for each reason, and sets for all that changes', () => {
    for (const reason of REASONS) expect(strict).toContain(`add counter bridge webspaces_ports ${counterOf(reason)}\n`);
    for (const name of Object.keys(SETS)) expect(strict).toContain(`@${name}`);
    expect(strict).not.toMatch(/reject|ct state|ibrname/);
  });
});
