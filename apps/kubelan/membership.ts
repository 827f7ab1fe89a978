import type { Logger } from 'pino';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { follow } from '#libs/kubernetes/follow.js';
import { addressesOf, byNamespace, keyOf, SERVICE_LABEL, type ServiceRef, selectorOf } from './services.js';

export interface MembershipParts {
  readonly kube: KubernetesClient;
  readonly services: readonly ServiceRef[];
  readonly log: Logger;
  /** Something may be different now. */
  readonly onChange: () => void;
}

interface Slice {
  readonly service: string;
  readonly addresses: ReadonlySet<string>;
}

/**
 * The addresses behind the configured Services, as their EndpointSlices say: one watch for each namespace, of these Services only. A Service
 * that does not exist has none. What is known stays while the API server is away.
 */
export class Membership {
  readonly #parts: MembershipParts;
  readonly #stop = new AbortController();
  readonly #slices = new Map<string, Slice>();
  readonly #unread: Set<string>;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    this.#unread = new Set(parts.services.map(({ namespace }) => namespace));
  }

  start(): void {
    for (const [namespace, names] of byNamespace(this.#parts.services)) {
      const kube = this.#parts.kube.in(namespace);
      const labelSelector = selectorOf(names);
      const { signal } = this.#stop;
      void follow(kube, {
        kind: 'endpointSlice',
        labelSelector,
        signal,
        log: this.#parts.log,
        resync: async () => this.#replaceAll(namespace, await kube.list('endpointSlice', { labelSelector, signal })),
        onChange: ({ type, object }) => {
          this.#set(namespace, object, type);
          this.#parts.onChange();
        },
      });
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Namespaces that were not read yet: of them addresses may be missing. */
  get unread(): ReadonlySet<string> {
    return this.#unread;
  }

  /** Of each Service, also of one that has none. */
  addresses(): ReadonlyMap<string, ReadonlySet<string>> {
    const all = new Map<string, Set<string>>(this.#parts.services.map((service) => [keyOf(service), new Set<string>()]));
    for (const { service, addresses } of this.#slices.values()) for (const address of addresses) all.get(service)?.add(address);
    return all;
  }

  /** Whether a Service has any slice. */
  has(service: string): boolean {
    return [...this.#slices.values()].some((slice) => slice.service === service);
  }

  #replaceAll(namespace: string, objects: readonly StoredObject[]): void {
    const present = new Set(objects.map(({ metadata }) => `${namespace}/${metadata.name}`));
    for (const key of [...this.#slices.keys()]) if (key.startsWith(`${namespace}/`) && !present.has(key)) this.#slices.delete(key);
    for (const object of objects) this.#set(namespace, object, 'ADDED');
    this.#unread.delete(namespace);
    this.#parts.onChange();
  }

  #set(namespace: string, object: StoredObject, type: 'ADDED' | 'MODIFIED' | 'DELETED'): void {
    const key = `${namespace}/${object.metadata.name}`;
    const name = object.metadata.labels?.[SERVICE_LABEL];
    if (type === 'DELETED' || name === undefined) this.#slices.delete(key);
    else this.#slices.set(key, { service: keyOf({ namespace, name }), addresses: addressesOf(object) });
  }
}
