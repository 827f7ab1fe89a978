import ipaddr from 'ipaddr.js';
import type { KuberouterConfig } from '#libs/config/kuberouter.js';
import { rangeSize } from '#libs/domain/addresses.js';
import { addressClaim, claimKey } from '#libs/domain/claims.js';
import type { WebspaceView } from './webspaces.js';

/** An address that is one webspace's for life. */
export interface Reservation {
  readonly name: string;
  readonly address: string;
}

/** Why a webspace has no reservation. */
export interface Conflict {
  readonly name: string;
  readonly address: string;
  readonly reason: string;
}

export interface Reservations {
  /** In the order of their names; each address and each name once. */
  readonly reservations: readonly Reservation[];
  readonly conflicts: readonly Conflict[];
}

const HOST_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const RESERVED_NAMES = ['router', 'localhost', 'wpad', 'isatap'];

/**
 * Who gets which address. Of two webspaces with the same one the older keeps it, as with all claims; one whose claim another holds gets none.
 * Pure: the same webspaces give the same reservations on every router.
 */
export function reservationsOf(webspaces: Iterable<WebspaceView>, lan: KuberouterConfig['lan']): Reservations {
  const taken = new Map<string, string>();
  const reservations: Reservation[] = [];
  const conflicts: Conflict[] = [];
  for (const view of [...webspaces].sort(olderFirst)) {
    const { name, address } = view;
    if (address === undefined) continue;
    const reason = problemOf(view, address, lan) ?? (taken.has(address) ? `it is ${taken.get(address)}'s` : undefined);
    if (reason !== undefined) {
      conflicts.push({ name, address, reason });
      continue;
    }
    taken.set(address, name);
    reservations.push({ name, address });
  }
  reservations.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { reservations, conflicts };
}

function problemOf({ name, withheld }: WebspaceView, address: string, { ipv4 }: KuberouterConfig['lan']): string | undefined {
  if (!HOST_LABEL.test(name) || RESERVED_NAMES.includes(name)) return 'its name cannot be a host name of the LAN';
  if (withheld.includes(claimKey(addressClaim(address)))) return 'another webspace holds it';
  if (!ipaddr.IPv4.isValidFourPartDecimal(address)) return 'it is no IPv4 address';
  const parsed = ipaddr.IPv4.parse(address);
  if (!parsed.match(ipaddr.IPv4.parseCIDR(ipv4.subnet))) return `it is outside of ${ipv4.subnet}`;
  const ends = [ipaddr.IPv4.networkAddressFromCIDR(ipv4.subnet), ipaddr.IPv4.broadcastAddressFromCIDR(ipv4.subnet)];
  if (ends.some((end) => end.toString() === address)) return 'it is no address of a host';
  if (address === ipv4.router) return "it is the router's";
  const { from, to } = ipv4.pool;
  if (rangeSize({ from, to: address }) > 0 && rangeSize({ from: address, to }) > 0) return 'it is in the pool of the router';
  return undefined;
}

function olderFirst(a: WebspaceView, b: WebspaceView): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}
