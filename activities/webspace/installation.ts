import { LABELS, MANAGED_BY } from '#libs/contracts/webspaces-api.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import type { LxdClient } from '#libs/lxd/client.js';

const PIN = 'lxd-identity';
const EPOCH = 'claims-epoch';
const APPROVAL = 'sweep-removals-approved';
const labels = { [LABELS.managedBy]: MANAGED_BY };

/** Facts about the whole installation: which LXD it is pinned to, and whether new claims may be made. */
export class Installation {
  readonly #kube: KubernetesClient;
  readonly #lxd: LxdClient;

  constructor(kube: KubernetesClient, lxd: LxdClient) {
    this.#kube = kube;
    this.#lxd = lxd;
  }

  /** Whether the LXD at our address is the one of the installation; it is pinned by its certificate when there is no pin yet. */
  async isPinnedLxd(signal: AbortSignal): Promise<boolean> {
    const [pin, server] = await Promise.all([this.#kube.find('configMap', PIN, { signal }), this.#lxd.server({ signal })]);
    const fingerprint = server.environment.certificate_fingerprint;
    if (pin) return (pin['data'] as { fingerprint?: string } | undefined)?.fingerprint === fingerprint;
    try {
      await this.#kube.create('configMap', { metadata: { name: PIN, labels }, data: { fingerprint } }, { signal });
      return true;
    } catch (error) {
      if (isPlatformError(error, 'CONFLICT')) return false;
      throw error;
    }
  }

  async claimsAreOpen(signal: AbortSignal): Promise<boolean> {
    return (await this.#kube.find('configMap', EPOCH, { signal })) !== undefined;
  }

  /** @throws UNAVAILABLE while the claims are being rebuilt from LXD. */
  async assertClaimsOpen(signal: AbortSignal): Promise<void> {
    if (await this.claimsAreOpen(signal)) return;
    throw new PlatformError('UNAVAILABLE', 'The claims are being rebuilt from LXD; new ones can be made in a minute. Try again.', {
      details: { retryAfterMs: 500 },
    });
  }

  /** A sweep has restored every claim of every record. */
  async openClaims(signal: AbortSignal): Promise<void> {
    try {
      await this.#kube.create('configMap', { metadata: { name: EPOCH, labels }, data: { since: new Date().toISOString() } }, { signal });
    } catch (error) {
      if (!isPlatformError(error, 'CONFLICT')) throw error;
    }
  }

  /** Claims are missing: no new ones until they are restored. */
  async closeClaims(signal: AbortSignal): Promise<void> {
    await this.#kube.delete('configMap', EPOCH, {}, { signal });
  }

  /** What an admin may do to say yes to a removal of that size, which is beyond what a sweep may do alone. */
  approvalHint(count: number, approval: string = APPROVAL): string {
    return `If that is right: kubectl create configmap ${approval} --namespace ${this.#kube.namespace} --from-literal=upTo=${count}`;
  }

  /** Whether an admin has said yes to a removal of that size, as {@link approvalHint} says. It counts once. */
  async takeApproval(count: number, signal: AbortSignal, name: string = APPROVAL): Promise<boolean> {
    const approval = await this.#kube.find('configMap', name, { signal });
    if (!approval || Number((approval['data'] as { upTo?: string } | undefined)?.upTo) < count) return false;
    return this.#kube.delete('configMap', name, { uid: approval.metadata.uid }, { signal });
  }
}
