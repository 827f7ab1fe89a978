import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Difference, Entries, Entry } from './plan.js';

/** Name of the one table that is ours; no other is ever touched. */
export const TABLE = 'inet webspaces';

export interface RuleOptions {
  readonly hostAddress?: string | undefined;
  readonly snat: boolean;
}

/**
 * Makes the table or brings its rules in step, in one transaction. Maps keep their elements and established connections go on: the kernel
 * asks these rules only for the first packet of a connection. A port is forwarded where it is an address of this machine: what passes through
 * to other places is left alone. The counters at the traffic's addresses tell idle webspaces. They count what clients send, and what is sent to
 * them unless it is TCP, which they confirm: looking up the address is the dearest part of a packet's way here, and a download's packets go without.
 */
export function tableScript({ hostAddress, snat }: RuleOptions): string {
  const here = hostAddress === undefined ? 'fib daddr type local' : `ip daddr ${hostAddress}`;
  return `
add table ${TABLE}
add map ${TABLE} tcp_forwards { type inet_service : ipv4_addr . inet_service; }
add map ${TABLE} udp_forwards { type inet_service : ipv4_addr . inet_service; }
add set ${TABLE} traffic { type ipv4_addr; counter; }
add chain ${TABLE} forwards
add chain ${TABLE} prerouting { type nat hook prerouting priority -100; policy accept; }
add chain ${TABLE} output { type nat hook output priority -100; policy accept; }
add chain ${TABLE} postrouting { type nat hook postrouting priority 100; policy accept; }
add chain ${TABLE} count { type filter hook forward priority 0; policy accept; }
${['forwards', 'prerouting', 'output', 'postrouting', 'count'].map((chain) => `flush chain ${TABLE} ${chain}`).join('\n')}
add rule ${TABLE} forwards dnat ip to tcp dport map @tcp_forwards
add rule ${TABLE} forwards dnat ip to udp dport map @udp_forwards
add rule ${TABLE} prerouting ${here} jump forwards
add rule ${TABLE} output ip daddr != 127.0.0.0/8 ${here} jump forwards
${snat ? `add rule ${TABLE} postrouting ct status dnat ip daddr @traffic masquerade` : ''}
add rule ${TABLE} count ct direction reply meta l4proto tcp accept
add rule ${TABLE} count ct status dnat ct direction original ip daddr @traffic
add rule ${TABLE} count ct status dnat ct direction reply ip saddr @traffic
`;
}

/** One transaction: what leaves goes before what comes, since a port may change its place. Addresses of forwards are counted. */
export function changeScript(now: Entries, { remove, add }: Difference, counted: ReadonlySet<string>): string {
  const after = new Map([...now].filter(([key]) => !remove.has(key)).concat([...add]));
  const addresses = new Set([...after.values()].map(({ address }) => address));
  return [
    ...elements('delete', remove),
    ...listed(
      'delete element',
      'traffic',
      [...counted].filter((address) => !addresses.has(address)),
    ),
    ...listed(
      'add element',
      'traffic',
      [...addresses].filter((address) => !counted.has(address)),
    ),
    ...elements('add', add),
  ].join('\n');
}

function elements(verb: 'add' | 'delete', entries: Entries): string[] {
  return ['tcp', 'udp'].flatMap((protocol) => {
    const ours = [...entries].filter(([key]) => key.startsWith(protocol));
    const text = ([key, { address, internal }]: [string, Entry]) =>
      verb === 'delete' ? key.slice(4) : `${key.slice(4)} : ${address} . ${internal}`;
    return listed(`${verb} element`, `${protocol}_forwards`, ours.map(text));
  });
}

function listed(verb: string, set: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [`${verb} ${TABLE} ${set} { ${items.join(', ')} }`];
}

/** What the kernel holds of our table. */
export interface KernelState {
  readonly entries: Entries;
  /** Packets of each address that is counted, as {@link tableScript} says. */
  readonly traffic: ReadonlyMap<string, number>;
}

const listing = z.object({ nftables: z.array(z.record(z.string(), z.unknown())) });
const forwards = z.object({ elem: z.array(z.tuple([z.int(), z.object({ concat: z.tuple([z.string(), z.int()]) })])).default([]) });
const counters = z.object({
  elem: z.array(z.object({ elem: z.object({ val: z.string(), counter: z.object({ packets: z.int() }) }) })).default([]),
});

/** The answer to `nft -j list table` (libnftables-json(5)). @throws PlatformError PROTOCOL when it does not fit. */
export function parseListing(text: string): KernelState {
  try {
    const parts = listing.parse(JSON.parse(text)).nftables;
    const named = (kind: 'map' | 'set', name: string) =>
      parts.find((part) => (part[kind] as { name?: string } | undefined)?.name === name)?.[kind];
    const entriesOf = (protocol: string) =>
      forwards
        .parse(named('map', `${protocol}_forwards`))
        .elem.map(([external, { concat }]): [string, Entry] => [`${protocol}-${external}`, { address: concat[0], internal: concat[1] }]);
    const traffic = counters.parse(named('set', 'traffic')).elem.map(({ elem }): [string, number] => [elem.val, elem.counter.packets]);
    return { entries: new Map([...entriesOf('tcp'), ...entriesOf('udp')]), traffic: new Map(traffic) };
  } catch (cause) {
    throw new PlatformError('PROTOCOL', `nft lists the table ${TABLE} in a way that is not ours. Delete the table to have it made anew.`, {
      cause,
    });
  }
}

/** External ports that have flows, by the answer to `conntrack -L -p udp`: of each line the first port is the one that the client meant. */
export function portsOfFlows(text: string): Set<string> {
  return new Set([...text.matchAll(/^udp\b.*?\bdport=(\d+)/gm)].map(([, port = '']) => port));
}
