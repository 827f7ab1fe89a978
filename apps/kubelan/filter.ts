import { z } from 'zod';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { RunTool } from '#libs/linux/tools.js';
import { canonical, type Family, familyOf } from './addresses.js';

/**
 * The nftables table `inet webspaces_lan` of this network namespace: who may send VXLAN packets, and which addresses kubelan has set, so that
 * a process after this one knows. It outlives the process. Counters live on through every change.
 */
const TABLE = 'inet webspaces_lan';
const REFUSED = ['refused_senders', 'refused_advertisements'] as const;
export type RefusedCounter = (typeof REFUSED)[number];

export interface FilterWanted {
  readonly vni: number;
  readonly port: number;
  /** The only interface by which VXLAN packets may come, where they run in tunnels. */
  readonly through: string | undefined;
  /** The interfaces by which frames of the LAN reach this pod. */
  readonly interfaces: readonly string[];
  readonly peers: ReadonlySet<string>;
  /** Own addresses on the LAN. */
  readonly addresses: ReadonlySet<string>;
}

export interface FilterState {
  readonly peers: ReadonlySet<string>;
  readonly addresses: ReadonlySet<string>;
  readonly counters: Readonly<Record<RefusedCounter, number>>;
}

const SETS = { peers: { ipv4: 'peers4', ipv6: 'peers6' }, addresses: { ipv4: 'addresses4', ipv6: 'addresses6' } } as const;

/** One transaction from the sets that are there to those that are wanted; elements that stay are not touched, the rules are put right. */
export function filterScript(wanted: FilterWanted, state: FilterState | undefined): string {
  return `${[...tableLines(wanted), ...setLines('peers', wanted.peers, state?.peers), ...setLines('addresses', wanted.addresses, state?.addresses)].join('\n')}\n`;
}

/**
 * At hook input a packet is whole again, so that fragments hide nothing. Packets of other networks at the same port are others' business.
 * Advertisements and redirects from the LAN must not lead a pod's own traffic elsewhere.
 */
function tableLines({ vni, port, interfaces, through }: FilterWanted): string[] {
  const ours = `udp dport ${port} @th,96,24 ${vni}`;
  const from = `iifname { ${interfaces.map((name) => `"${name}"`).join(', ')} }`;
  return [
    `add table ${TABLE}`,
    ...Object.values(SETS).flatMap(({ ipv4, ipv6 }) => [
      `add set ${TABLE} ${ipv4} { type ipv4_addr; }`,
      `add set ${TABLE} ${ipv6} { type ipv6_addr; }`,
    ]),
    ...REFUSED.map((name) => `add counter ${TABLE} ${name} { }`),
    `add chain ${TABLE} input { type filter hook input priority -10; policy accept; }`,
    `flush chain ${TABLE} input`,
    ...(through === undefined ? [] : [`add rule ${TABLE} input ${ours} iifname != "${through}" counter name refused_senders drop`]),
    `add rule ${TABLE} input ${ours} ip saddr != @${SETS.peers.ipv4} counter name refused_senders drop`,
    `add rule ${TABLE} input ${ours} ip6 saddr != @${SETS.peers.ipv6} counter name refused_senders drop`,
    `add rule ${TABLE} input ${from} icmpv6 type { nd-router-advert, nd-redirect } counter name refused_advertisements drop`,
    `add rule ${TABLE} input ${from} icmp type redirect counter name refused_advertisements drop`,
  ];
}

function setLines(what: keyof typeof SETS, wanted: ReadonlySet<string>, present: ReadonlySet<string> = new Set()): string[] {
  const lines = (verb: 'add' | 'delete', addresses: readonly string[]) =>
    (['ipv4', 'ipv6'] as const).flatMap((family: Family) => {
      const those = addresses.filter((address) => familyOf(address) === family);
      return those.length === 0 ? [] : [`${verb} element ${TABLE} ${SETS[what][family]} { ${those.join(', ')} }`];
    });
  const added = [...wanted].filter((address) => !present.has(address));
  const removed = [...present].filter((address) => !wanted.has(address));
  return [...lines('add', added), ...lines('delete', removed)];
}

const listingSchema = z.object({
  nftables: z.array(
    z.object({
      set: z.object({ name: z.string(), elem: z.array(z.unknown()).default([]) }).optional(),
      counter: z.object({ name: z.string(), packets: z.number() }).optional(),
    }),
  ),
});

export function parseFilter(json: string): FilterState {
  const { nftables } = listingSchema.parse(JSON.parse(json));
  const elements = (what: keyof typeof SETS) => {
    const names: readonly string[] = Object.values(SETS[what]);
    const texts = nftables.flatMap(({ set }) => (set && names.includes(set.name) ? set.elem : []));
    return new Set(texts.flatMap((text) => canonical(String(text)) ?? []));
  };
  const packets = (name: RefusedCounter) => nftables.find(({ counter }) => counter?.name === name)?.counter?.packets ?? 0;
  return {
    peers: elements('peers'),
    addresses: elements('addresses'),
    counters: { refused_senders: packets('refused_senders'), refused_advertisements: packets('refused_advertisements') },
  };
}

/** The table as it is; undefined where there is none. */
export async function readFilter(run: RunTool): Promise<FilterState | undefined> {
  try {
    return parseFilter(await run('nft', ['-j', 'list', 'table', ...TABLE.split(' ')]));
  } catch (error) {
    if (isPlatformError(error) && String(error.details['output']).includes('No such file or directory')) return undefined;
    throw error;
  }
}

export async function removeFilter(run: RunTool): Promise<void> {
  await run('nft', ['-f', '-'], `add table ${TABLE}\ndelete table ${TABLE}\n`);
}
