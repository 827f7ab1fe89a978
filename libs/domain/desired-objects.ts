import { API_GROUP, API_VERSION, GATEWAY_SERVICE, LABELS, MANAGED_BY } from '#libs/contracts/webspaces-api.js';
import { hostsOf } from './claims.js';
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

/** The spec of the `Webspace` object: the projection of a record. */
export function webspaceSpec(record: WebspaceRecord, platform: Platform): Record<string, unknown> {
  return {
    uid: record.uid,
    createdBy: record.createdBy,
    owner: { id: record.owner.id, username: record.owner.username },
    image: { ...(record.image.alias === undefined ? {} : { alias: record.image.alias }), fingerprint: record.image.fingerprint },
    address: record.network.address,
    hosts: hostsOf(record, platform.baseDomain),
    http: { port: record.http.port, startupDelaySeconds: record.http.startupDelaySeconds, sniPassthrough: record.http.sniPassthrough },
    ports: record.ports.map(({ protocol, external, internal }) => ({ protocol, external, internal })),
  };
}

/** The owner reference that lets the `Webspace` take its rebuildable objects with it. */
export function ownedBy(webspace: { readonly name: string; readonly uid: string }): Record<string, unknown> {
  return { apiVersion: `${API_GROUP}/${API_VERSION}`, kind: 'Webspace', name: webspace.name, uid: webspace.uid, controller: true };
}

/**
 * Every rebuildable object of a webspace, from its record and the place its route leads to. Pure: the same input gives the same objects.
 * Service and EndpointSlice hold the container's address always; only the route's target changes when a container starts or stops.
 */
export function desiredObjects(name: string, record: WebspaceRecord, target: RouteTarget, platform: Platform): DesiredObject[] {
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
    endpoints: [{ addresses: [record.network.address], conditions: { ready: true } }],
  };
  const backend = {
    name: target === 'container' ? name : GATEWAY_SERVICE,
    port: target === 'container' || !record.http.sniPassthrough ? 80 : 443,
  };
  return [service, slice, route(name, labels, record, backend, platform)];
}

function route(
  name: string,
  labels: Record<string, string>,
  record: WebspaceRecord,
  backend: { readonly name: string; readonly port: number },
  platform: Platform,
): DesiredObject {
  const hosts = hostsOf(record, platform.baseDomain);
  const metadata = { name, labels };
  const entryPoints = [platform.entryPoint];
  if (record.http.sniPassthrough) {
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
