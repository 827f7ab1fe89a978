import { PlatformError } from '#libs/errors/platform-error.js';
import { canonical, familyOf } from './addresses.js';
import type { Link } from './kernel-state.js';

/** As many MACs are learned at most; what is beyond is flooded. */
const LEARNED_MAX = 16_384;

export interface Address {
  readonly address: string;
  readonly length: number;
}

export interface WantedLinks {
  readonly name: string;
  readonly vni: number;
  readonly port: number;
  /** Own address of the underlay. */
  readonly local: string;
  readonly mtu: number;
  /** Of an interface that is made; one that is there keeps its own. */
  readonly mac: string | undefined;
  readonly ageingSeconds: number;
  readonly bridge: string | undefined;
  readonly addresses: readonly Address[];
}

export interface LinkPlan {
  /** For `ip -batch -`, in this order. */
  readonly lines: readonly string[];
  /** `anew`: it was there, with another network, port or underlay. */
  readonly made: 'nothing' | 'new' | 'anew';
  /** Addresses that appear, to be told to the neighbours, and where. */
  readonly appears: readonly Address[];
  readonly holder: string;
}

/**
 * What differs between the interface, bridge and addresses that are wanted and those that are there. An interface that is there is adopted:
 * its MAC, index and membership stay. Of addresses only `ours`, which kubelan has set itself, are ever taken away.
 * @throws PlatformError CONFLICT when something else has one of the names.
 */
export function planLinks(wanted: WantedLinks, links: ReadonlyMap<string, Link>, ours: ReadonlySet<string>): LinkPlan {
  const { name, bridge } = wanted;
  const link = kindOrNone(links, name, 'vxlan');
  const bridgeLink = bridge === undefined ? undefined : kindOrNone(links, bridge, 'bridge');
  const anew = link !== undefined && mustBeMadeAnew(link, wanted);
  const made = anew ? 'anew' : link ? 'nothing' : 'new';
  const lines: string[] = [];
  if (anew) lines.push(`link del dev ${name}`);
  if (bridge !== undefined) lines.push(...bridgeLines(bridge, bridgeLink, wanted));
  lines.push(...(link && !anew ? adjustLines(link, wanted) : createLines(wanted, link)));

  const holder = bridge ?? name;
  const before = new Set(addressesOn(holder === name ? (anew ? undefined : link) : bridgeLink).map(written));
  const restored = anew && holder === name ? addressesOn(link).filter(({ address }) => !ours.has(address)) : [];
  const missing = [...wanted.addresses, ...restored].filter((address) => !before.has(written(address)));
  const wantedAddresses = new Set(wanted.addresses.map(written));
  // Also where they were under another configuration.
  for (const [device, at] of links) {
    if (device === name && anew) continue;
    for (const address of addressesOn(at)) {
      const stays = device === holder && wantedAddresses.has(written(address));
      if (ours.has(address.address) && !stays) lines.push(`address del ${written(address)} dev ${device}`);
    }
  }
  for (const address of missing)
    lines.push(`address add ${written(address)} ${familyOf(address.address) === 'ipv4' ? 'brd +' : 'nodad'} dev ${holder}`);
  return { lines, made, appears: missing, holder };
}

export const written = ({ address, length }: Address): string => `${address}/${length}`;

/** Addresses of a link that somebody has given it. */
export function addressesOn(link: Link | undefined): readonly Address[] {
  return (link?.addr_info ?? []).flatMap(({ local, prefixlen, scope }) => {
    const address = local === undefined ? undefined : canonical(local);
    return address === undefined || prefixlen === undefined || scope === 'link' ? [] : [{ address, length: prefixlen }];
  });
}

function kindOrNone(links: ReadonlyMap<string, Link>, name: string, kind: 'vxlan' | 'bridge'): Link | undefined {
  const link = links.get(name);
  if (link && link.linkinfo?.info_kind !== kind) {
    throw new PlatformError('CONFLICT', `The interface ${name} is there and is no ${kind}. Choose another name, or take it away.`);
  }
  return link;
}

function mustBeMadeAnew({ linkinfo }: Link, { vni, port, local }: WantedLinks): boolean {
  const data = linkinfo?.info_data;
  const present = data?.local ?? data?.local6;
  return data?.id !== vni || data.port !== port || present === undefined || familyOf(present) !== familyOf(local);
}

/** Only a bridge that is made here gets settings; it floods what snooping would keep from members without a querier. */
function bridgeLines(bridge: string, link: Link | undefined, { mac, mtu, ageingSeconds }: WantedLinks): string[] {
  const up = `link set dev ${bridge} up`;
  if (link) return link.flags.includes('UP') ? [] : [up];
  const options = `stp_state 0 forward_delay 0 mcast_snooping 0 ageing_time ${ageingSeconds * 100}`;
  return [`link add name ${bridge}${mac === undefined ? '' : ` address ${mac}`} mtu ${mtu} type bridge ${options}`, up];
}

function createLines(wanted: WantedLinks, before: Link | undefined): string[] {
  const { name, vni, port, local, mtu, ageingSeconds } = wanted;
  const mac = before?.address ?? wanted.mac;
  const master = wanted.bridge ?? before?.master;
  return [
    `link add name ${name}${mac === undefined ? '' : ` address ${mac}`} mtu ${mtu} type vxlan` +
      ` id ${vni} local ${local} dstport ${port} ageing ${ageingSeconds} maxaddress ${LEARNED_MAX}`,
    // A port of a bridge needs no address of its own.
    ...(master === undefined ? [] : [`link set dev ${name} addrgenmode none`, `link set dev ${name} master ${master}`]),
    `link set dev ${name} up`,
  ];
}

function adjustLines(link: Link, { name, local, mtu, ageingSeconds, bridge }: WantedLinks): string[] {
  const { local: four, local6: six, ageing } = link.linkinfo?.info_data ?? {};
  const lines: string[] = [];
  if (canonical(four ?? six ?? '') !== local) lines.push(`link set dev ${name} type vxlan local ${local}`);
  if (ageing !== ageingSeconds) lines.push(`link set dev ${name} type vxlan ageing ${ageingSeconds}`);
  if (link.mtu !== mtu) lines.push(`link set dev ${name} mtu ${mtu}`);
  // Without a bridge in the configuration another's is left alone.
  if (bridge !== undefined && link.master !== bridge) lines.push(`link set dev ${name} master ${bridge}`);
  if (!link.flags.includes('UP')) lines.push(`link set dev ${name} up`);
  return lines;
}
