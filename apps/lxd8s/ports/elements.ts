import { z } from 'zod';
import { linkLocalOf, slaacOf } from '#libs/domain/lan.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { counterOf, REASONS, type Reason, SETS, type SetName, TABLE } from './rules.js';

/** A container's port. One without an address may use any of the pool that the router leases. */
export interface Port {
  readonly mac: string;
  readonly address?: string | undefined;
}

/** Every interface that is in some bridge of the member. */
export interface Ports {
  readonly uplinks: readonly string[];
  readonly elsewhere: readonly string[];
  readonly known: ReadonlyMap<string, Port>;
}

/** Elements of each set, in nft's own writing. */
export type Elements = Readonly<Record<SetName, ReadonlySet<string>>>;

const SET_NAMES = Object.keys(SETS) as SetName[];

/** The elements that stand for these ports; `subnet` is the /64 in which containers make addresses of their own. */
export function elementsOf({ uplinks, elsewhere, known }: Ports, subnet: string | undefined): Elements {
  const all = [...known];
  const named = (names: readonly string[]) => new Set(names.map(quoted));
  const pairs = (values: (port: Port) => readonly string[]) =>
    new Set(all.flatMap(([name, port]) => values(port).map((value) => `${quoted(name)} . ${value}`)));
  const ipv6s = ({ mac }: Port) => [linkLocalOf(mac), ...(subnet === undefined ? [] : [slaacOf(subnet, mac)])];
  return {
    uplinks: named(uplinks),
    elsewhere: named(elsewhere),
    ports: named(all.map(([name]) => name)),
    strangers: named(all.flatMap(([name, { address }]) => (address === undefined ? [name] : []))),
    macs: pairs(({ mac }) => [mac]),
    ipv4s: pairs(({ address }) => (address === undefined ? [] : [address])),
    ipv6s: pairs(ipv6s),
    targets: pairs((port) => ipv6s(port).map(numberOf)),
    clients: pairs(({ mac }) => [hex(Number.parseInt(mac.replaceAll(':', ''), 16))]),
  };
}

/** One transaction that makes the one of the other; empty when they are equal. What is refused goes before what is let in. */
export function changeScript(now: Elements, wanted: Elements): string {
  const line = (verb: string, set: SetName, elements: readonly string[]) =>
    elements.length === 0 ? [] : [`${verb} element ${TABLE} ${set} { ${elements.join(', ')} }`];
  const without = (one: ReadonlySet<string>, other: ReadonlySet<string>) => [...one].filter((element) => !other.has(element));
  const lines = [
    ...SET_NAMES.flatMap((set) => line('delete', set, without(now[set], wanted[set]))),
    ...SET_NAMES.flatMap((set) => line('add', set, without(wanted[set], now[set]))),
  ];
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** What the kernel holds of our table. */
export interface Listing {
  readonly elements: Elements;
  /** Frames refused, by reason, and by port. */
  readonly refused: Readonly<Record<Reason, number>>;
  readonly offenders: ReadonlyMap<string, number>;
  /** Chains with their number of rules: whether somebody changed them. */
  readonly rules: string;
}

const listing = z.object({ nftables: z.array(z.record(z.string(), z.unknown())) });
const element = z.union([z.string(), z.object({ concat: z.tuple([z.string(), z.union([z.string(), z.int()])]) })]);
const set = z.object({ elem: z.array(element).default([]) });
const counter = z.object({ packets: z.int() });
const offender = z.object({ elem: z.object({ val: z.string(), counter }) });
const rule = z.object({ chain: z.string() });

/** The answer to `nft -j list table` (libnftables-json(5)). @throws PlatformError PROTOCOL when it is not our table. */
export function parseListing(text: string): Listing {
  try {
    const parts = listing.parse(JSON.parse(text)).nftables;
    const named = (kind: 'set' | 'counter', name: string) =>
      parts.find((part) => (part[kind] as { name?: string } | undefined)?.name === name)?.[kind];
    const elements = (name: SetName) => new Set(set.parse(named('set', name)).elem.map(textOf));
    const offenders = z.object({ elem: z.array(offender).default([]) }).parse(named('set', 'offenders')).elem;
    const chains = parts.flatMap((part) => ('rule' in part ? [rule.parse(part['rule']).chain] : []));
    return {
      elements: Object.fromEntries(SET_NAMES.map((name) => [name, elements(name)])) as Record<SetName, Set<string>>,
      refused: Object.fromEntries(REASONS.map((reason) => [reason, counter.parse(named('counter', counterOf(reason))).packets])) as Record<
        Reason,
        number
      >,
      offenders: new Map(offenders.map(({ elem }) => [elem.val, elem.counter.packets])),
      rules: chains.join(' '),
    };
  } catch (cause) {
    throw new PlatformError('PROTOCOL', `nft lists the table ${TABLE} in a way that is not ours.`, { cause });
  }
}

function textOf(value: z.output<typeof element>): string {
  if (typeof value === 'string') return quoted(value);
  const [name, tied] = value.concat;
  return `${quoted(name)} . ${typeof tied === 'number' ? hex(tied) : tied}`;
}

/** A number as it is written for nft, which lists those of up to 64 bits as numbers of JSON. */
function hex(number: number): string {
  return `0x${number.toString(16)}`;
}

function quoted(name: string): string {
  return `"${name}"`;
}

/** An IPv6 address as nft writes a number of its size. */
function numberOf(address: string): string {
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string) => text.split(':').filter((group) => group !== '');
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: missing }, () => '0'), ...groups(tail)];
  return `0x${all.map((group) => group.padStart(4, '0')).join('')}`;
}
