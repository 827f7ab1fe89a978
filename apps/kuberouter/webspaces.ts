import type { Logger } from 'pino';
import { z } from 'zod';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { LABELS } from '#libs/contracts/webspaces-api.js';
import type { KubernetesClient, WatchChange } from '#libs/kubernetes/client.js';
import { follow } from '#libs/kubernetes/follow.js';

/** What the router knows of a webspace. */
export interface WebspaceView {
  readonly name: string;
  readonly createdAt: string;
  readonly address: string | undefined;
  /** Claims that its record names and another webspace holds. */
  readonly withheld: readonly string[];
  readonly ports: readonly { readonly protocol: 'tcp' | 'udp'; readonly internal: number }[];
}

export interface WebspacesParts {
  readonly kube: KubernetesClient;
  readonly log: Logger;
  readonly onChange: () => void;
}

/** All webspaces as the cluster says now. Starts empty: until {@link synced} one that is missing may be one that was not read yet. */
export class Webspaces {
  readonly #parts: WebspacesParts;
  readonly #stop = new AbortController();
  #views = new Map<string, WebspaceView>();
  #synced = false;

  constructor(parts: WebspacesParts) {
    this.#parts = parts;
  }

  start(): void {
    const { kube, log, onChange } = this.#parts;
    const { signal } = this.#stop;
    void follow(kube, {
      kind: 'webspace',
      labelSelector: LABELS.webspace,
      signal,
      log,
      resync: async () => {
        const objects = await kube.list('webspace', { labelSelector: LABELS.webspace, signal });
        this.#views = new Map(objects.map((object) => [object.metadata.name, viewOf(object)]));
        this.#synced = true;
        onChange();
      },
      onChange: (change) => {
        this.#change(change);
        onChange();
      },
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  get synced(): boolean {
    return this.#synced;
  }

  all(): Iterable<WebspaceView> {
    return this.#views.values();
  }

  get(name: string): WebspaceView | undefined {
    return this.#views.get(name);
  }

  #change({ type, object }: WatchChange): void {
    if (type === 'DELETED') this.#views.delete(object.metadata.name);
    else this.#views.set(object.metadata.name, viewOf(object));
  }
}

const spec = z.object({
  address: z.string().optional(),
  withheld: z.array(z.string()).default([]),
  ports: z.array(z.object({ protocol: z.enum(['tcp', 'udp']), internal: z.int() })).default([]),
});

/** An object that does not fit counts as a webspace without an address: it keeps others from nothing. */
function viewOf({ metadata: { name, creationTimestamp = '' }, ...object }: StoredObject): WebspaceView {
  const { address, withheld, ports } = spec.safeParse(object['spec']).data ?? { address: undefined, withheld: [], ports: [] };
  return { name, createdAt: creationTimestamp, address, withheld, ports };
}
