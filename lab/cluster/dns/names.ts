import type { DnsNames } from '../../dns/answers.js';

const DOMAIN = 'svc.cluster.local';

export interface Named {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Readonly<Record<string, string>> };
}

export interface Service extends Named {
  readonly spec: { readonly clusterIP?: string };
}

export interface EndpointSlice extends Named {
  /** Null in a slice of a service that nobody is behind. */
  readonly endpoints?:
    | readonly {
        readonly addresses: readonly string[];
        readonly hostname?: string;
        readonly conditions?: { readonly ready?: boolean };
      }[]
    | null;
}

/**
 * What a cluster's DNS server answers (the specification "Kubernetes DNS-Based Service Discovery"): a service by its address, one without an
 * address by its endpoints, and each endpoint that has a host's name by that. An endpoint that is not ready is left out; a service that
 * publishes those has them marked as ready.
 */
export function clusterNames(services: readonly Service[], slices: readonly EndpointSlice[]): DnsNames {
  const names = new Map<string, string[]>();
  const withAddress = new Set<string>();
  const add = (name: string, more: readonly string[]) => names.set(name, [...(names.get(name) ?? []), ...more]);
  for (const { metadata, spec } of services) {
    const name = `${metadata.name}.${metadata.namespace}.${DOMAIN}`;
    const address = spec.clusterIP === undefined || spec.clusterIP === 'None' ? [] : [spec.clusterIP];
    if (address.length > 0) withAddress.add(name);
    add(name, address);
  }
  for (const { metadata, endpoints } of slices) {
    const service = `${metadata.labels?.['kubernetes.io/service-name']}.${metadata.namespace}.${DOMAIN}`;
    for (const endpoint of (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false)) {
      if (!withAddress.has(service)) add(service, endpoint.addresses);
      if (endpoint.hostname) add(`${endpoint.hostname}.${service}`, endpoint.addresses);
    }
  }
  return Object.fromEntries([...names].map(([name, a]) => [name, { a }]));
}
