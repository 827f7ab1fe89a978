import type { Logger } from 'pino';
import type { KindName, StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { KubernetesClient } from './client.js';
import { follow } from './follow.js';

export interface MirrorOptions<T> {
  readonly kube: KubernetesClient;
  readonly kind: KindName;
  readonly labelSelector: string;
  readonly log: Logger;
  /** What is kept of an object. */
  readonly viewOf: (object: StoredObject) => T;
  /** An object has come, changed or gone; called before {@link onChange}. */
  readonly onView?: (name: string, views: { readonly before: T | undefined; readonly after: T | undefined }) => void;
  /** Anything may be different now. */
  readonly onChange?: () => void;
}

/**
 * All objects of a kind in one namespace by name, as the cluster says now. Starts empty: until {@link synced} one that is missing may be one that
 * was not read yet. What is known stays while Kubernetes is away.
 */
export class Mirror<T> {
  readonly #options: MirrorOptions<T>;
  readonly #stop = new AbortController();
  readonly #views = new Map<string, T>();
  #synced = false;

  constructor(options: MirrorOptions<T>) {
    this.#options = options;
  }

  start(): void {
    const { kube, kind, labelSelector, log, viewOf, onChange } = this.#options;
    const { signal } = this.#stop;
    void follow(kube, {
      kind,
      labelSelector,
      signal,
      log,
      resync: async () => {
        this.#replaceAll(await kube.list(kind, { labelSelector, signal }));
        this.#synced = true;
        onChange?.();
      },
      onChange: ({ type, object }) => {
        this.#set(object.metadata.name, type === 'DELETED' ? undefined : viewOf(object));
        onChange?.();
      },
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Whether all have been read once. */
  get synced(): boolean {
    return this.#synced;
  }

  get(name: string): T | undefined {
    return this.#views.get(name);
  }

  all(): Iterable<T> {
    return this.#views.values();
  }

  #replaceAll(objects: readonly StoredObject[]): void {
    const present = new Set(objects.map(({ metadata }) => metadata.name));
    for (const name of [...this.#views.keys()]) if (!present.has(name)) this.#set(name, undefined);
    for (const object of objects) this.#set(object.metadata.name, this.#options.viewOf(object));
  }

  #set(name: string, after: T | undefined): void {
    const before = this.#views.get(name);
    if (after === undefined) this.#views.delete(name);
    else this.#views.set(name, after);
    this.#options.onView?.(name, { before, after });
  }
}
