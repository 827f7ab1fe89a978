import {
  arp,
  BROADCAST,
  dhcpAsk,
  dhcpOffer,
  ETHERTYPE,
  ethernet,
  extension,
  icmpv6,
  ipv4,
  ipv6,
  neighbourAdvert,
  neighbourSolicit,
  routerAdvert,
  tagged,
  tcpSyn,
  udp,
  vxlan,
} from '../frames/build.js';
import { BRIDGE_MAC, HOSTS, type HostName } from './member-network.js';

/** Something on the network, as frames name it. */
export interface Host {
  readonly mac: string;
  readonly address: string;
  readonly address6: string;
  /** Its link-local address. */
  readonly link: string;
}

/** Who is there to attack, and who attacks: `a`, a webspace, and `stranger`. */
export interface Targets {
  readonly hosts: Readonly<Record<HostName, Host>>;
  /** The member that `a` runs on: the MAC of its bridge, its address of the underlay, and the network's number there. */
  readonly member: { readonly mac: string; readonly address: string; readonly vni: number };
}

/** A frame that a container may not send. */
export interface Attack {
  readonly what: string;
  readonly from: HostName;
  readonly frame: Buffer;
  /** The counter that it must be found in. */
  readonly reason: string;
  /** Who gets it where nothing is guarded; `member`: the member's own stack. */
  readonly reaches: HostName | 'member';
}

const ALL_NODES = { mac: '33:33:00:00:00:01', ip: 'ff02::1' };
const UDP = 17;
const TCP = 6;
const ICMPV6 = 58;
const text = Buffer.from('a hostile container');

const NAMESPACES: Targets = { hosts: HOSTS, member: { mac: BRIDGE_MAC, address: '10.60.1.5', vni: 6969 } };
const v4 = (mac: { from: string; to: string }, ends: { from: string; to: string }, payload = udp(4_000, 4_000, text)) =>
  ethernet(mac, ETHERTYPE.ipv4, ipv4(ends, { protocol: UDP }, payload));
const v6 = (mac: { from: string; to: string }, ends: { from: string; to: string }, next: number, payload: Buffer) =>
  ethernet(mac, ETHERTYPE.ipv6, ipv6(ends, next, payload));

export function attacks({ hosts, member }: Targets = NAMESPACES): Attack[] {
  const { a, b, c, router, service, stranger } = hosts;
  const toRouter = { from: a.mac, to: router.mac };
  const toAll = { from: a.mac, to: BROADCAST };
  const toAllNodes = { from: a.mac, to: ALL_NODES.mac };
  const announces = (sender: { mac: string; ip: string }) =>
    ethernet(toAll, ETHERTYPE.arp, arp('reply', sender, { mac: BROADCAST, ip: sender.ip }));
  const advertisement = (from: string) => icmpv6({ from, to: ALL_NODES.ip }, 134, routerAdvert('fd00:bad::', a.mac));
  const own = { from: a.address, to: '203.0.113.9' };
  const offer = udp(67, 68, dhcpOffer(a.address, '172.24.7.7', c.mac));
  const ns = { from: '::', to: 'ff02::1:ff00:1' };
  const one = (what: string, reason: string, reaches: Attack['reaches'], frame: Buffer, from: HostName = 'a') => ({
    what,
    from,
    frame,
    reason,
    reaches,
  });
  return [
    one("another's IPv4 address", 'ipv4', 'router', v4(toRouter, { ...own, from: b.address })),
    one("the router's IPv4 address", 'ipv4', 'c', v4(toAll, { from: router.address, to: '172.24.255.255' })),
    one("another's MAC", 'mac', 'router', v4({ ...toRouter, from: b.mac }, own)),
    one("another's MAC and IPv4 address", 'mac', 'router', v4({ ...toRouter, from: c.mac }, { ...own, from: c.address })),
    one("the router's MAC", 'mac', 'c', v4({ from: router.mac, to: c.mac }, own)),
    one("an ARP answer with the router's address", 'arp', 'c', announces({ mac: a.mac, ip: router.address })),
    one("an ARP answer with another's address and MAC", 'arp', 'c', announces({ mac: b.mac, ip: b.address })),
    one(
      "an ARP request with another's address",
      'arp',
      'router',
      ethernet(toAll, ETHERTYPE.arp, arp('request', { mac: a.mac, ip: c.address }, { mac: '00:00:00:00:00:00', ip: router.address })),
    ),
    one(
      "a probe for another's address",
      'arp',
      'c',
      ethernet(toAll, ETHERTYPE.arp, arp('request', { mac: a.mac, ip: '0.0.0.0' }, { mac: '00:00:00:00:00:00', ip: c.address })),
    ),
    one('an answer of DHCP to all', 'dhcp_server', 'c', v4(toAll, { from: a.address, to: '255.255.255.255' }, offer)),
    one('an answer of DHCP to one', 'isolation', 'c', v4({ from: a.mac, to: c.mac }, { from: a.address, to: c.address }, offer)),
    one(
      "a release of another's lease",
      'dhcp_client',
      'router',
      v4(toRouter, { from: a.address, to: router.address }, udp(68, 67, dhcpAsk('release', b.mac, b.address))),
    ),
    one(
      "a search for a lease in another's name",
      'dhcp_client',
      'router',
      v4(toAll, { from: '0.0.0.0', to: '255.255.255.255' }, udp(68, 67, dhcpAsk('discover', '02:99:00:00:00:01'))),
    ),
    one(
      'the first fragment of one, without a name',
      'dhcp_client',
      'router',
      ethernet(
        toAll,
        ETHERTYPE.ipv4,
        ipv4(
          { from: '0.0.0.0', to: '255.255.255.255' },
          { protocol: UDP, more: 'more' },
          udp(68, 67, dhcpAsk('discover', a.mac)).subarray(0, 24),
        ),
      ),
    ),
    one('an answer of DHCPv6', 'dhcp_server', 'c', v6(toAllNodes, { from: a.link, to: ALL_NODES.ip }, UDP, udp(547, 546, text))),
    one('a router advertisement', 'advertisement', 'c', v6(toAllNodes, { from: a.link, to: ALL_NODES.ip }, ICMPV6, advertisement(a.link))),
    one(
      "a router advertisement from the router's address",
      'advertisement',
      'c',
      v6(toAllNodes, { from: router.link, to: ALL_NODES.ip }, ICMPV6, advertisement(router.link)),
    ),
    one(
      'a router advertisement behind a header of options',
      'advertisement',
      'c',
      v6(toAllNodes, { from: a.link, to: ALL_NODES.ip }, 0, Buffer.concat([extension('hop-by-hop', ICMPV6), advertisement(a.link)])),
    ),
    one(
      'a router advertisement in fragments',
      'fragment',
      'c',
      v6(
        toAllNodes,
        { from: a.link, to: ALL_NODES.ip },
        44,
        Buffer.concat([extension('fragment', 0, 'more'), extension('hop-by-hop', ICMPV6)]),
      ),
    ),
    one(
      "a neighbour advertisement of another's address",
      'neighbour',
      'router',
      v6(
        toAllNodes,
        { from: a.link, to: ALL_NODES.ip },
        ICMPV6,
        icmpv6({ from: a.link, to: ALL_NODES.ip }, 136, neighbourAdvert(c.address6, a.mac)),
      ),
    ),
    one("a claim of another's IPv6 address", 'ipv6', 'c', v6(toAllNodes, ns, ICMPV6, icmpv6(ns, 135, neighbourSolicit(c.address6)))),
    one("another's IPv6 address", 'ipv6', 'router', v6(toRouter, { from: c.address6, to: '2001:db8::1' }, UDP, udp(4_000, 4_000, text))),
    one('a frame with the tag of a VLAN', 'ethertype', 'router', tagged(v4(toRouter, own), 7)),
    one("a tagged frame with another's address", 'ethertype', 'router', tagged(v4(toRouter, { ...own, from: b.address }), 7)),
    one('a frame with two tags', 'ethertype', 'router', tagged(tagged(v4(toRouter, own), 8), 7)),
    one('a frame of another protocol', 'ethertype', 'router', ethernet(toRouter, ETHERTYPE.lldp, text)),
    one(
      "a later fragment with another's address",
      'ipv4',
      'router',
      ethernet(toRouter, ETHERTYPE.ipv4, ipv4({ ...own, from: b.address }, { protocol: UDP, offset: 100 }, text)),
    ),
    one(
      'a connection to a service, its flags in a second fragment',
      'fragment',
      'service',
      ethernet(
        { from: a.mac, to: service.mac },
        ETHERTYPE.ipv4,
        ipv4({ from: a.address, to: service.address }, { protocol: TCP, more: 'more' }, tcpSyn(4_000, 443).subarray(0, 8)),
      ),
    ),
    one(
      'a connection to a service',
      'isolation',
      'service',
      ethernet(
        { from: a.mac, to: service.mac },
        ETHERTYPE.ipv4,
        ipv4({ from: a.address, to: service.address }, { protocol: TCP }, tcpSyn(4_000, 443)),
      ),
    ),
    one(
      'a datagram to a service by IPv6',
      'isolation',
      'service',
      v6({ from: a.mac, to: service.mac }, { from: a.address6, to: service.address6 }, UDP, udp(4_000, 53, text)),
    ),
    one(
      'a frame in the overlay, as from the router',
      'overlay',
      'router',
      v4(toRouter, { from: a.address, to: member.address }, udp(4_000, 4_789, vxlan(member.vni, v4({ from: router.mac, to: c.mac }, own)))),
    ),
    one('the metadata address', 'link_local', 'router', v4(toRouter, { from: a.address, to: '169.254.169.254' })),
    one(
      "the member's own port of LXD",
      'member',
      'member',
      ethernet(
        { from: a.mac, to: member.mac },
        ETHERTYPE.ipv4,
        ipv4({ from: a.address, to: member.address }, { protocol: TCP }, tcpSyn(4_000, 8_443)),
      ),
    ),
    one('a frame to a neighbour on another member', 'isolation', 'c', v4({ from: a.mac, to: c.mac }, { from: a.address, to: c.address })),
    one('a frame to a neighbour on the same member', 'isolation', 'b', v4({ from: a.mac, to: b.mac }, { from: a.address, to: b.address })),
    one('a datagram to everybody', 'broadcast', 'c', v4({ from: a.mac, to: '01:00:5e:00:00:fb' }, { from: a.address, to: '224.0.0.251' })),
    one('the same by IPv6', 'broadcast', 'c', v6(toAllNodes, { from: a.link, to: ALL_NODES.ip }, UDP, udp(5_353, 5_353, text))),
    one("a webspace's address, by a stranger", 'ipv4', 'router', v4({ from: stranger.mac, to: router.mac }, own), 'stranger'),
    one("a webspace's MAC, by a stranger", 'mac', 'router', v4(toRouter, own), 'stranger'),
    one(
      "the router's address, by a stranger",
      'arp',
      'c',
      ethernet(
        { from: stranger.mac, to: BROADCAST },
        ETHERTYPE.arp,
        arp('reply', { mac: stranger.mac, ip: router.address }, { mac: BROADCAST, ip: router.address }),
      ),
      'stranger',
    ),
  ];
}
