import type { Logger } from 'pino';
import { LABELS } from '#libs/contracts/webspaces-api.js';
import { readinessOf } from '#libs/domain/certificates.js';
import { messageOf } from '#libs/errors/platform-error.js';
import type { KubernetesClient, WatchChange } from '#libs/kubernetes/client.js';

const RETRY_MS = 1_000;

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
    void this.#run();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { kube, log, resync } = this.#parts;
    const { signal } = this.#stop;
    let from: string | undefined;
    let lost = false;
    while (!signal.aborted) {
      try {
        from ??= await kube.versionOf('certificate', { signal });
        if (lost) await resync();
        lost = false;
        from = await kube.watch('certificate', { from, labelSelector: LABELS.webspace, signal }, (change) => this.#seen(change));
      } catch (error) {
        if (signal.aborted) return;
        if (!lost) log.warn({ error: messageOf(error) }, 'watch of Certificates lost, trying again');
        lost = true;
        from = undefined;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
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
