import type { Logger } from 'pino';
import { LABELS } from '#libs/contracts/webspaces-api.js';
import { readinessOf } from '#libs/domain/certificates.js';
import type { KubernetesClient, WatchChange } from '#libs/kubernetes/client.js';
import { follow } from '#libs/kubernetes/follow.js';

export interface CertificateWatchParts {
  readonly kube: KubernetesClient;
  readonly log: Logger;
  /** Asks for a look at one webspace. */
  look(name: string): void;
  /** Everything may have changed: compare all. */
  resync(): Promise<void>;
}

/**
 * Follows what cert-manager says of our Certificates: when one becomes ready, or is not any more, or is gone, its webspace is looked at.
 * Level-triggered as the listener to LXD's events: nothing acts on what a change says, and after a loss everything is compared.
 */
export class CertificateWatch {
  readonly #parts: CertificateWatchParts;
  readonly #stop = new AbortController();
  /** Those that are ready as far as was seen; one that was ready before the watch began is looked at once too often. */
  readonly #ready = new Set<string>();

  constructor(parts: CertificateWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    const { kube, log, resync } = this.#parts;
    void follow(kube, {
      kind: 'certificate',
      labelSelector: LABELS.webspace,
      signal: this.#stop.signal,
      log,
      // At the start of a worker everything is compared anyway.
      resync: async (first) => (first ? undefined : resync()),
      onChange: (change) => this.#seen(change),
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  #seen({ type, object }: WatchChange): void {
    const name = object.metadata.labels?.[LABELS.webspace];
    if (name === undefined) return;
    const { uid } = object.metadata;
    const ready = type !== 'DELETED' && readinessOf(object).ready;
    if (ready === this.#ready.has(uid) && type !== 'DELETED') return;
    if (ready) this.#ready.add(uid);
    else this.#ready.delete(uid);
    this.#parts.look(name);
  }
}
