import { API_GROUP, API_VERSION, GATEWAY_SERVICE, LABELS, MANAGED_BY } from '#libs/contracts/webspaces-api.js';
import { addressClaim, claimKey, domainClaim, hostsOf, portClaim } from './claims.js';
import type { Platform } from './platform.js';
import type { WebspaceRecord } from './record.js';

/** Where a webspace's route leads: to its container, or to the gateway that boots it. */
export type RouteTarget = 'container' | 'gateway';

export interface DesiredObject {
  readonly kind: 'service' | 'endpointSlice' | 'ingressRoute' | 'ingressRouteTcp';
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

const HTTP_PORT_NAME = 'http';

/** Labels of everything that belongs to one webspace. */
export function labelsOf(name: string, uid: string): Record<string, string> {
  return { [LABELS.managedBy]: MANAGED_BY, [LABELS.webspace]: name, [LABELS.uid]: uid };
}

/** Claims that a record names and another webspace holds (see `claimKey`): nothing of them is published. */
export type Withheld = readonly string[];

/** The spec of the `Webspace` object: the projection of a record. Server-side apply removes no field, so lists are written when empty, too. */
export function webspaceSpec(record: WebspaceRecord, platform: Platform, withheld: Withheld = []): Record<string, unknown> {
  return {
    uid: record.uid,
    createdBy: record.createdBy,
    owner: { id: record.owner.id, ...(record.owner.username === undefined ? {} : { username: record.owner.username }) },
    image: { ...(record.image.alias === undefined ? {} : { alias: record.image.alias }), fingerprint: record.image.fingerprint },
    ...(record.network.address === undefined ? {} : { address: record.network.address }),
    hosts: heldHosts(record, platform, withheld),
    http: { port: record.http.port, startupDelaySeconds: record.http.startupDelaySeconds, sniPassthrough: record.http.sniPassthrough },
    ports: record.ports
      .filter((port) => !withheld.includes(claimKey(portClaim(port))))
      .map(({ protocol, external, internal }) => ({ protocol, external, internal })),
    withheld: [...withheld].sort(),
  };
}

function heldHosts(record: WebspaceRecord, platform: Platform, withheld: Withheld): string[] {
  return hostsOf(record, platform.baseDomain).filter((host) => !withheld.includes(claimKey(domainClaim(host))));
}

/** The owner reference that lets the `Webspace` take its rebuildable objects with it. */
export function ownedBy(webspace: { readonly name: string; readonly uid: string }): Record<string, unknown> {
  return { apiVersion: `${API_GROUP}/${API_VERSION}`, kind: 'Webspace', name: webspace.name, uid: webspace.uid, controller: true };
}

/**
 * Every rebuildable object of a webspace, from its record and the place its route leads to. Pure: the same input gives the same objects.
 * Service and EndpointSlice hold the container's address always; only the route's target changes when a container starts or stops. A record
 * without an address has what LXD reports of its container, if anything.
 */
export function desiredObjects(
  name: string,
  record: WebspaceRecord,
  target: RouteTarget,
  platform: Platform,
  withheld: Withheld = [],
  reportedAddress?: string,
): DesiredObject[] {
  const address = record.network.address ?? reportedAddress;
  const labels = labelsOf(name, record.uid);
  const service: DesiredObject = {
    kind: 'service',
    metadata: { name, labels },
    spec: { clusterIP: 'None', ports: [{ name: HTTP_PORT_NAME, port: 80, protocol: 'TCP', targetPort: record.http.port }] },
  };
  const slice: DesiredObject = {
    kind: 'endpointSlice',
    metadata: { name, labels: { ...labels, 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: HTTP_PORT_NAME, port: record.http.port, protocol: 'TCP' }],
    // Traefik takes a missing `ready` as not ready for TCP routes.
    endpoints: address === undefined ? [] : [{ addresses: [address], conditions: { ready: true } }],
  };
  const hosts = heldHosts(record, platform, withheld);
  if (hosts.length === 0) return [service, slice];
  // At an address that is another webspace's its visitors would meet that one.
  const toContainer = target === 'container' && address !== undefined && !withheld.includes(claimKey(addressClaim(address)));
  const backend = {
    name: toContainer ? name : GATEWAY_SERVICE,
    port: toContainer || !record.http.sniPassthrough ? 80 : 443,
  };
  return [service, slice, route(name, labels, hosts, backend, record, platform)];
}

function route(
  name: string,
  labels: Record<string, string>,
  hosts: readonly string[],
  backend: { readonly name: string; readonly port: number },
  { http }: WebspaceRecord,
  platform: Platform,
): DesiredObject {
  const metadata = { name, labels };
  const entryPoints = [platform.entryPoint];
  if (http.sniPassthrough) {
    const match = hosts.map((host) => `HostSNI(\`${host}\`)`).join(' || ');
    return {
      kind: 'ingressRouteTcp',
      metadata,
      spec: { entryPoints, routes: [{ match, services: [backend] }], tls: { passthrough: true } },
    };
  }
  const match = hosts.map((host) => `Host(\`${host}\`)`).join(' || ');
  const tls = platform.defaultTlsSecret === undefined ? {} : { secretName: platform.defaultTlsSecret };
  return { kind: 'ingressRoute', metadata, spec: { entryPoints, routes: [{ kind: 'Rule', match, services: [backend] }], tls } };
}
