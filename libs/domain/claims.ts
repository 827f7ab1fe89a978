import { addressObjectName } from './addresses.js';
import { defaultHost } from './names.js';
import type { WebspaceRecord } from './record.js';

export const CLAIM_KINDS = ['domain', 'address', 'portForward'] as const;
export type ClaimKind = (typeof CLAIM_KINDS)[number];

/** A name that one webspace may hold: the Kubernetes object of that kind and name is the claim. */
export interface Claim {
  readonly kind: ClaimKind;
  readonly name: string;
  /** What stands in the object's spec beside its owner. */
  readonly spec: Readonly<Record<string, unknown>>;
}

export function domainClaim(host: string): Claim {
  return { kind: 'domain', name: host, spec: { host } };
}

export function addressClaim(address: string): Claim {
  return { kind: 'address', name: addressObjectName(address), spec: { address } };
}

export function portClaim(port: Pick<WebspaceRecord['ports'][number], 'protocol' | 'external' | 'internal'>): Claim {
  return {
    kind: 'portForward',
    name: `${port.protocol}-${port.external}`,
    spec: { protocol: port.protocol, external: port.external, internal: port.internal },
  };
}

/** Every claim a record stands for: its host names, its address, its forwarded ports. */
export function claimsOf(record: WebspaceRecord, baseDomain: string): Claim[] {
  const { address } = record.network;
  return [
    ...hostsOf(record, baseDomain).map(domainClaim),
    ...(address === undefined ? [] : [addressClaim(address)]),
    ...record.ports.map(portClaim),
  ];
}

/**
 * Whether a claim may not be taken from the webspace of this record: it names it, or whether it does cannot be told, as the default host name's while
 * nobody knows the owner's user name.
 */
export function holdsOn(record: WebspaceRecord, claim: Pick<Claim, 'kind' | 'name'>, baseDomain: string): boolean {
  if (record.owner.username === undefined && claim.kind === 'domain' && claim.name.endsWith(`.${baseDomain}`)) return true;
  return claimsOf(record, baseDomain).some(({ kind, name }) => kind === claim.kind && name === claim.name);
}

/** How a claim is named in a list of claims: `domain/alice.ws.example.org`. */
export function claimKey({ kind, name }: Pick<Claim, 'kind' | 'name'>): string {
  return `${kind}/${name}`;
}

/** Every host name of a webspace, the default one first if the owner's user name is known. */
export function hostsOf({ owner, domains }: Pick<WebspaceRecord, 'owner' | 'domains'>, baseDomain: string): string[] {
  return [...(owner.username === undefined ? [] : [defaultHost(owner.username, baseDomain)]), ...domains];
}
