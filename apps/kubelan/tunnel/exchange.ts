import type { Logger } from 'pino';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { follow } from '#libs/kubernetes/follow.js';
import { canonical } from '../addresses.js';
import { hashOf } from './keys.js';

const LABEL = 'webspaces.netsoc.ie/lan';
const KEY = 'webspaces.netsoc.ie/lan-key';
const PUBLIC_KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw480]=$/;

export interface ExchangeParts {
  readonly kube: KubernetesClient;
  readonly vni: number;
  readonly log: Logger;
  readonly onChange: () => void;
}

/** What a member has said of itself. */
export interface Published {
  readonly publicKey: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/**
 * The members' public keys: each publishes its own in a Lease of kubelan's namespace, named by its address of the underlay. Who may write Leases
 * there is believed; a Lease of somebody who is behind no Service of the LAN makes no peer.
 */
export class Exchange {
  readonly #parts: ExchangeParts;
  readonly #stop = new AbortController();
  readonly #keys = new Map<string, Published>();
  #read = false;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
  }

  start(): void {
    const { kube, vni, log, onChange } = this.#parts;
    const labelSelector = `${LABEL}=${vni}`;
    const { signal } = this.#stop;
    void follow(kube, {
      kind: 'lease',
      labelSelector,
      signal,
      log,
      resync: async () => {
        const leases = await kube.list('lease', { labelSelector, signal });
        this.#keys.clear();
        for (const lease of leases) this.#set(lease, 'ADDED');
        this.#read = true;
        onChange();
      },
      onChange: ({ type, object }) => {
        this.#set(object, type);
        onChange();
      },
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Whether all keys have been read once. */
  get read(): boolean {
    return this.#read;
  }

  of(underlay: string): Published | undefined {
    return this.#keys.get(underlay);
  }

  async publish(underlay: string, publicKey: string): Promise<void> {
    const now = new Date().toISOString().replace('Z', '000Z');
    await this.#parts.kube.apply('lease', {
      metadata: {
        name: `lan-${this.#parts.vni}-${hashOf(underlay).slice(0, 16)}`,
        labels: { [LABEL]: String(this.#parts.vni) },
        annotations: { [KEY]: publicKey },
      },
      spec: { holderIdentity: underlay, acquireTime: now, renewTime: now },
    });
  }

  #set(lease: StoredObject, type: 'ADDED' | 'MODIFIED' | 'DELETED'): void {
    const { holderIdentity = '', acquireTime = '' } = (lease['spec'] ?? {}) as { holderIdentity?: string; acquireTime?: string };
    const underlay = canonical(holderIdentity);
    const publicKey = lease.metadata.annotations?.[KEY] ?? '';
    if (underlay === undefined) return;
    if (type === 'DELETED' || !PUBLIC_KEY.test(publicKey)) this.#keys.delete(underlay);
    else this.#keys.set(underlay, { publicKey, since: Date.parse(acquireTime) || 0 });
  }
}
