import type { Logger } from 'pino';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { PortForward, Protocol } from '#libs/contracts/operations.js';
import { LABELS, type Phase } from '#libs/contracts/webspaces-api.js';
import { portKey } from '#libs/domain/change.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { Mirror } from '#libs/kubernetes/mirror.js';

/** What the gateway knows of a webspace: what its `Webspace` object publishes. Names and ports that are withheld from it are not in there. */
export interface WebspaceView {
  readonly name: string;
  readonly uid: string;
  /** Account id. */
  readonly owner: string;
  readonly hosts: readonly string[];
  readonly http: { readonly port: number; readonly startupDelaySeconds: number; readonly sniPassthrough: boolean };
  readonly ports: readonly PortForward[];
  readonly phase: Phase;
  /** Off until an admin or its account's return turns it on, also while its container still runs. */
  readonly suspended: boolean;
  /** Of its container; undefined for one of the original that has none of its own yet. */
  readonly address: string | undefined;
}

export interface DirectoryParts {
  readonly kube: KubernetesClient;
  readonly log: Logger;
}

/**
 * All webspaces by name, host name and forwarded port, as the cluster says now. Starts empty: until {@link synced} an unknown name may be one
 * that was not read yet.
 */
export class Directory {
  readonly #mirror: Mirror<WebspaceView>;
  readonly #byHost = new Map<string, string>();
  readonly #byPort = new Map<string, string>();
  readonly #listeners = new Set<(name: string) => void>();

  constructor(parts: DirectoryParts) {
    this.#mirror = new Mirror({
      ...parts,
      kind: 'webspace',
      labelSelector: LABELS.webspace,
      viewOf,
      onView: (name, views) => this.#changed(name, views),
    });
  }

  start(): void {
    this.#mirror.start();
  }

  stop(): void {
    this.#mirror.stop();
  }

  /** Whether all webspaces have been read once. */
  get synced(): boolean {
    return this.#mirror.synced;
  }

  get(name: string): WebspaceView | undefined {
    return this.#mirror.get(name);
  }

  /** The webspace of a host name in any case, with or without a trailing dot. */
  byHost(host: string): WebspaceView | undefined {
    return this.#named(this.#byHost.get(host.toLowerCase().replace(/\.$/, '')));
  }

  byPort(protocol: Protocol, external: number): WebspaceView | undefined {
    return this.#named(this.#byPort.get(portKey({ protocol, external })));
  }

  all(): Iterable<WebspaceView> {
    return this.#mirror.all();
  }

  /** Tells the name of a webspace whose view has changed, come or gone; returns what ends that. */
  onChange(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #named(name: string | undefined): WebspaceView | undefined {
    return name === undefined ? undefined : this.#mirror.get(name);
  }

  #changed(name: string, { before, after }: { readonly before: WebspaceView | undefined; readonly after: WebspaceView | undefined }): void {
    const keysOf = (view: WebspaceView | undefined) =>
      [[this.#byHost, view?.hosts ?? []] as const, [this.#byPort, view?.ports.map(portKey) ?? []] as const] as const;
    for (const [index, keys] of keysOf(before)) for (const key of keys) if (index.get(key) === name) index.delete(key);
    for (const [index, keys] of keysOf(after)) for (const key of keys) index.set(key, name);
    for (const listener of this.#listeners) listener(name);
  }
}

interface Spec {
  readonly uid: string;
  readonly owner: { readonly id: string };
  readonly address?: string;
  readonly hosts: readonly string[];
  readonly http: { readonly port: number; readonly startupDelaySeconds?: number; readonly sniPassthrough?: boolean };
  readonly ports?: readonly PortForward[];
}

interface Status {
  readonly phase?: Phase;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

function viewOf(object: StoredObject): WebspaceView {
  const { uid, owner, address, hosts, http, ports = [] } = object['spec'] as Spec;
  const { phase = 'unknown', conditions = [] } = (object['status'] ?? {}) as Status;
  const { port, startupDelaySeconds = 0, sniPassthrough = false } = http;
  return {
    name: object.metadata.name,
    uid,
    owner: owner.id,
    hosts,
    http: { port, startupDelaySeconds, sniPassthrough },
    ports,
    phase,
    suspended: conditions.some(({ type, status }) => type === 'Suspended' && status === 'True'),
    address,
  };
}
