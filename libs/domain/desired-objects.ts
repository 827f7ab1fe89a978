import { API_GROUP, API_VERSION, GATEWAY_SERVICE, LABELS, MANAGED_BY, PORTS_GATEWAY } from '#libs/contracts/webspaces-api.js';
import { type Certified, certificateSpec, domainObjectName } from './certificates.js';
import { addressClaim, claimKey, domainClaim, hostsOf, portClaim } from './claims.js';
import type { Platform } from './platform.js';
import type { WebspaceRecord } from './record.js';

/** Where a webspace's route leads: to its container, or to the gateway that boots it. */
export type RouteTarget = 'container' | 'gateway';

export interface DesiredObject {
  readonly kind: 'service' | 'endpointSlice' | 'ingressRoute' | 'ingressRouteTcp' | 'certificate';
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
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
    ports: heldPorts(record, withheld).map(({ protocol, external, internal, proxyProtocol }) => ({
      protocol,
      external,
      internal,
      ...(proxyProtocol ? { proxyProtocol } : {}),
    })),
    withheld: [...withheld].sort(),
  };
}

function heldHosts(record: WebspaceRecord, platform: Platform, withheld: Withheld): string[] {
  return hostsOf(record, platform.baseDomain).filter((host) => !withheld.includes(claimKey(domainClaim(host))));
}

function heldPorts(record: WebspaceRecord, withheld: Withheld): WebspaceRecord['ports'] {
  return record.ports.filter((port) => !withheld.includes(claimKey(portClaim(port))));
}

/** What visitors may come by: host names, and how many forwarded ports. */
export interface Published {
  readonly hosts: readonly string[];
  readonly ports: number;
}

/** What is published of a record. */
export function publishedOf(record: WebspaceRecord, platform: Platform, withheld: Withheld): Published {
  return { hosts: heldHosts(record, platform, withheld), ports: heldPorts(record, withheld).length };
}

/** The owner reference that lets the `Webspace` take its rebuildable objects with it. */
export function ownedBy(webspace: { readonly name: string; readonly uid: string }): Record<string, unknown> {
  return { apiVersion: `${API_GROUP}/${API_VERSION}`, kind: 'Webspace', name: webspace.name, uid: webspace.uid, controller: true };
}

/** Labels of the `Webspace` itself. `marked` keeps the mark of one that had custom domains or forwarded ports. */
export function webspaceLabels(name: string, { uid, domains, ports }: WebspaceRecord, marked = false): Record<string, string> {
  return { ...labelsOf(name, uid), ...(marked || domains.length + ports.length > 0 ? { [LABELS.further]: 'true' } : {}) };
}

/** What beside record and platform decides about a webspace's objects. */
export interface Circumstances {
  readonly withheld?: Withheld;
  /** What LXD says of the container's address. */
  readonly reportedAddress?: string | undefined;
  readonly certified?: Certified;
}

/**
 * Every rebuildable object of a webspace, from its record and the place its routes lead to. Pure: the same input gives the same objects.
 * Service and EndpointSlice hold the container's address always; only the routes' target changes when a container starts or stops. Each
 * custom domain has a route and a Certificate of its own, so that nothing that happens to one name touches another. A
 * record without an address has what LXD reports of its container, if anything.
 */
export function desiredObjects(
  name: string,
  record: WebspaceRecord,
  target: RouteTarget,
  platform: Platform,
  { withheld = [], reportedAddress, certified = new Set() }: Circumstances = {},
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
  // At an address that is another webspace's its visitors would meet that one.
  const toContainer = target === 'container' && address !== undefined && !withheld.includes(claimKey(addressClaim(address)));
  const place = { name, labels, record, platform, toContainer };
  const objects = [service, slice, ...forwarding(place, withheld)];
  if (record.http.sniPassthrough) return [...objects, ...routeBySni(place, hosts)];
  return [...objects, ...hosts.map((host) => routeByHost(place, host, certified)), ...certificates(place, hosts)];
}

interface Place {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly record: WebspaceRecord;
  readonly platform: Platform;
  readonly toContainer: boolean;
}

/** One route for all names: the webspace's own server shows its certificates. */
function routeBySni({ name, labels, platform, toContainer }: Place, hosts: readonly string[]): DesiredObject[] {
  if (hosts.length === 0) return [];
  const match = hosts.map((host) => `HostSNI(\`${host}\`)`).join(' || ');
  const service = toContainer ? { name, port: 80 } : { name: GATEWAY_SERVICE, port: 443 };
  const spec = { entryPoints: [platform.entryPoint], routes: [{ match, services: [service] }], tls: { passthrough: true } };
  return [{ kind: 'ingressRouteTcp', metadata: { name, labels }, spec }];
}

/** The Service that brings forwarded ports to the gateway; a load balancer may give many of them one address. */
function forwarding({ name, labels, record, platform }: Place, withheld: Withheld): DesiredObject[] {
  const ports = heldPorts(record, withheld)
    .map(({ protocol, external }) => ({
      name: `${protocol}-${external}`,
      port: external,
      protocol: protocol.toUpperCase(),
      targetPort: external,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (ports.length === 0) return [];
  const { serviceType: type, annotations } = platform.forwarding;
  const balanced = type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: false, externalTrafficPolicy: 'Local' } : {};
  const metadata = { name: `${name}-ports`, labels, annotations };
  return [{ kind: 'service', metadata, spec: { type, selector: PORTS_GATEWAY, ports, ...balanced } }];
}

function routeByHost({ name, labels, record, platform, toContainer }: Place, host: string, certified: Certified): DesiredObject {
  const own = record.domains.includes(host) ? domainObjectName(name, host) : undefined;
  const secretName = own !== undefined && certified.has(host) ? own : platform.defaultTlsSecret;
  const service = { name: toContainer ? name : GATEWAY_SERVICE, port: 80 };
  const routes = [{ kind: 'Rule', match: `Host(\`${host}\`)`, services: [service] }];
  const tls = secretName === undefined ? {} : { secretName };
  return { kind: 'ingressRoute', metadata: { name: own ?? name, labels }, spec: { entryPoints: [platform.entryPoint], routes, tls } };
}

function certificates({ name, labels, record, platform }: Place, hosts: readonly string[]): DesiredObject[] {
  const { certificateIssuer } = platform;
  if (!certificateIssuer) return [];
  return record.domains
    .filter((domain) => hosts.includes(domain))
    .map((domain) => {
      const own = domainObjectName(name, domain);
      return { kind: 'certificate', metadata: { name: own, labels }, spec: certificateSpec(own, domain, certificateIssuer, labels) };
    });
}
