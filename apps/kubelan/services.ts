import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { canonical, type Family, familyOf } from './addresses.js';

export interface ServiceRef {
  readonly namespace: string;
  readonly name: string;
}

/** The label by which a slice names its Service. */
export const SERVICE_LABEL = 'kubernetes.io/service-name';

/** `name` is one of the process's own namespace. */
export function serviceOf(text: string, ownNamespace: string): ServiceRef {
  const [first = '', second] = text.split('/');
  return second === undefined ? { namespace: ownNamespace, name: first } : { namespace: first, name: second };
}

export const keyOf = ({ namespace, name }: ServiceRef): string => `${namespace}/${name}`;

/** The names wanted in each namespace, each once. */
export function byNamespace(services: readonly ServiceRef[]): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  for (const { namespace, name } of services) names.set(namespace, (names.get(namespace) ?? new Set()).add(name));
  return names;
}

export function selectorOf(names: ReadonlySet<string>): string {
  return `${SERVICE_LABEL} in (${[...names].sort().join(',')})`;
}

interface Endpoint {
  readonly addresses?: readonly string[];
}

/**
 * Every address of a slice, whatever its conditions say: a member that is not ready must reach the others to become so, and one that
 * terminates has traffic until it leaves the slice. Names (FQDN) are no addresses.
 */
export function addressesOf(slice: StoredObject): ReadonlySet<string> {
  const endpoints = (slice['endpoints'] ?? []) as readonly Endpoint[];
  const texts = endpoints.flatMap(({ addresses = [] }) => addresses);
  return new Set(texts.flatMap((text) => canonical(text) ?? []));
}

/** Those that may be a peer of this pod: of the underlay's family, and another's. */
export function peersAmong(addresses: Iterable<string>, own: string): ReadonlySet<string> {
  const family: Family = familyOf(own);
  const peers = new Set<string>();
  for (const address of addresses) if (familyOf(address) === family && address !== own) peers.add(address);
  return peers;
}
