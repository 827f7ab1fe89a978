import { macOf, slaacOf } from '#libs/domain/lan.js';
import { TABLE } from './table.js';

/** Addresses that follow from webspaces and change while rules stay. */
export interface RuleSets {
  /** IPv4 addresses of webspaces to which closed ports are open. */
  readonly exempt: readonly string[];
  /** Ports of containers that are forwarded to. */
  readonly served: readonly { readonly address: string; readonly protocol: 'tcp' | 'udp'; readonly port: number }[];
  /** The LAN's IPv6 subnet, if it has one: containers' addresses in it follow from those of IPv4. */
  readonly subnet6?: string | undefined;
}

type Name = 'exempt4' | 'exempt6' | 'served4';

export function setName(what: 'exempt' | 'served', family: 4 | 6 = 4): Name {
  return `${what}${family}` as Name;
}

interface SetElements {
  readonly name: Name;
  readonly type: string;
  readonly elements: readonly string[];
}

export function elementsOf({ exempt, served, subnet6 }: RuleSets): SetElements[] {
  const unique = (items: readonly string[]) => [...new Set(items)].sort();
  return [
    { name: 'exempt4', type: 'ipv4_addr', elements: unique(exempt) },
    {
      name: 'exempt6',
      type: 'ipv6_addr',
      elements: subnet6 === undefined ? [] : unique(exempt.map((address) => slaacOf(subnet6, macOf(address)))),
    },
    {
      name: 'served4',
      type: 'ipv4_addr . inet_proto . inet_service',
      elements: unique(served.map(({ address, protocol, port }) => `${address} . ${protocol} . ${port}`)),
    },
  ];
}

/** One transaction that brings the sets from one state to another; empty when nothing changes. */
export function setsChange(now: RuleSets, wanted: RuleSets): string {
  const before = new Map(elementsOf(now).map(({ name, elements }) => [name, new Set(elements)]));
  return elementsOf(wanted)
    .flatMap(({ name, elements }) => {
      const [old, fresh] = [before.get(name) ?? new Set<string>(), new Set(elements)];
      const gone = [...old].filter((element) => !fresh.has(element));
      const added = elements.filter((element) => !old.has(element));
      return [line('delete', name, gone), line('add', name, added)];
    })
    .filter((text) => text !== '')
    .join('\n');
}

function line(verb: 'add' | 'delete', name: Name, elements: readonly string[]): string {
  return elements.length === 0 ? '' : `${verb} element ${TABLE} ${name} { ${elements.join(', ')} }`;
}
