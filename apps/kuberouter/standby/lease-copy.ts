import { gunzipSync, gzipSync } from 'node:zlib';
import type { KuberouterConfig } from '#libs/config/kuberouter.js';
import { LABELS, MANAGED_BY } from '#libs/contracts/webspaces-api.js';
import { macOf } from '#libs/domain/lan.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { type DnsmasqFiles, readIfThere, writeWhole } from '../dnsmasq/files.js';
import { formatLeases, parseLeases } from '../dnsmasq/leases.js';

/** The ConfigMap with leases of the pool; those of webspaces follow from their addresses. */
export const LEASES = 'webspaces-kuberouter-leases';
const HOLDER = 'webspaces.netsoc.ie/copied-by';
/** A ConfigMap may have 1 MiB, as base64. */
const MOST_BYTES = 750_000;

export interface LeaseCopyParts {
  readonly kube: KubernetesClient;
  readonly files: DnsmasqFiles;
  readonly identity: string;
  readonly standby: KuberouterConfig['standby'];
}

/** What the next active router needs to give no lease twice. */
export class LeaseCopy {
  readonly #parts: LeaseCopyParts;
  #copied: string | undefined;
  #notBefore = 0;

  constructor(parts: LeaseCopyParts) {
    this.#parts = parts;
  }

  /** Before dnsmasq starts on a router that has become active: what another one has given takes the place of the own file. */
  async restore(): Promise<void> {
    const { kube, files, identity } = this.#parts;
    const found = await kube.find('configMap', LEASES);
    if (!found || found.metadata.annotations?.[HOLDER] === identity) return;
    const packed = (found['binaryData'] as Record<string, string> | undefined)?.['leases'];
    if (packed === undefined) return;
    writeWhole(files.leases, gunzipSync(Buffer.from(packed, 'base64')).toString());
  }

  /** Copies leases that changed since the last time, at most every `standby.copyLeasesSeconds` unless it is pressing. Says whether it did. */
  async copy({ pressing }: { readonly pressing: boolean }): Promise<boolean> {
    const { kube, files, identity, standby } = this.#parts;
    if (!pressing && performance.now() < this.#notBefore) return false;
    const leases = parseLeases(readIfThere(files.leases) ?? '').filter(({ mac, address }) => mac !== macOf(address));
    const text = formatLeases(leases);
    if (text === this.#copied) return false;
    this.#notBefore = performance.now() + standby.copyLeasesSeconds * 1000;
    const packed = gzipSync(text);
    if (packed.length > MOST_BYTES)
      throw new PlatformError(
        'OPERATION_FAILED',
        `${leases.length} leases do not fit into the ConfigMap ${LEASES}: a standby would not know them.`,
      );
    const metadata = { name: LEASES, labels: { [LABELS.managedBy]: MANAGED_BY }, annotations: { [HOLDER]: identity } };
    await kube.apply('configMap', { metadata, binaryData: { leases: packed.toString('base64') } });
    this.#copied = text;
    return true;
  }

  /** Another router may have copied since. */
  forget(): void {
    this.#copied = undefined;
  }
}
