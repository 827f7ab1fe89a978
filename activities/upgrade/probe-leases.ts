import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import { LABELS, MANAGED_BY } from '#libs/contracts/webspaces-api.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { LOCK_GRACE_MS } from '../kubernetes/lock.js';
import type { WorkflowRuns } from '../shared/workflow-runs.js';

const RACES = 8;

export interface ProbeHold {
  /** Workflow id. */
  readonly holder: string;
  readonly seconds: number;
  readonly by: string;
  readonly why: string;
}

export interface ProbeLeasesOptions {
  /** Bound to the cluster's namespace. */
  readonly kube: Pick<KubernetesClient, 'find' | 'create' | 'replace'>;
  readonly runs: Pick<WorkflowRuns, 'describe'>;
  readonly now?: () => number;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly acquireTime?: string;
  readonly renewTime?: string;
}

/**
 * Leases that make the probes of a cluster's members lenient until `renewTime` and their duration. Each write is conditional on what was read,
 * and may be done twice. Whose upgrade, why, and until when at the latest stand on the Lease as annotations.
 */
export class ProbeLeases {
  readonly #options: ProbeLeasesOptions;
  readonly #now: () => number;

  constructor(options: ProbeLeasesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Takes it, or renews what is the holder's already. @throws CONFLICT when another upgrade that still runs holds it. */
  async hold(name: string, hold: ProbeHold, signal: AbortSignal): Promise<void> {
    await this.#inTurn(name, signal, async (lease) => {
      if (lease) await this.#assertFree(lease, hold.holder);
      await this.#write(name, lease, hold, signal);
    });
  }

  /** Frees it: probes are strict with the members' next reading. Nothing happens when the holder does not hold it (any more). */
  async release(name: string, holder: string, signal: AbortSignal): Promise<void> {
    await this.#inTurn(name, signal, async (lease) => {
      if (lease && holderOf(lease) === holder) await this.#free(lease, signal);
    });
  }

  /** Frees it when its holder is closed for so long that none of its requests is under way; gives that holder. */
  async releaseLeft(name: string, signal: AbortSignal): Promise<string | undefined> {
    const lease = await this.#options.kube.find('lease', name, { signal });
    const holder = lease && holderOf(lease);
    if (!lease || holder === undefined) return undefined;
    const since = await this.#leftSince(holder, lease);
    if (since === undefined || this.#now() - since < LOCK_GRACE_MS) return undefined;
    await this.#free(lease, signal);
    return holder;
  }

  async #assertFree(lease: StoredObject, me: string): Promise<void> {
    const other = holderOf(lease);
    if (other === undefined || other === me || (await this.#leftSince(other, lease)) !== undefined) return;
    throw new PlatformError('CONFLICT', `Lease ${lease.metadata.name} is held by ${other}, which still runs.`, {
      details: { reason: 'busy' },
    });
  }

  /** Since when the holder's workflow is closed; undefined while it runs. */
  async #leftSince(holder: string, lease: StoredObject): Promise<number | undefined> {
    const run = await this.#options.runs.describe({ workflowId: holder, runId: '' });
    if (run.is === 'open') return undefined;
    return run.is === 'closed' ? run.closedAtMs : Date.parse(specOf(lease).renewTime ?? '') || 0;
  }

  async #inTurn(name: string, signal: AbortSignal, write: (lease: StoredObject | undefined) => Promise<void>): Promise<void> {
    for (let race = 0; race < RACES; race++) {
      try {
        return await write(await this.#options.kube.find('lease', name, { signal }));
      } catch (error) {
        // Made, written or removed by somebody else since it was read.
        const raced = isPlatformError(error, 'STALE') || isPlatformError(error, 'NOT_FOUND') || isMadeMeanwhile(error);
        if (!raced) throw error;
      }
    }
    throw new PlatformError('STALE', `Lease ${name} changes too quickly; trying again.`);
  }

  async #write(name: string, lease: StoredObject | undefined, { holder, seconds, by, why }: ProbeHold, signal: AbortSignal): Promise<void> {
    const now = this.#now();
    const before = lease && specOf(lease);
    const acquireTime = before?.holderIdentity === holder && before.acquireTime !== undefined ? before.acquireTime : microTime(now);
    const spec = { holderIdentity: holder, leaseDurationSeconds: Math.ceil(seconds), acquireTime, renewTime: microTime(now) };
    const until = new Date(now + Math.ceil(seconds) * 1000).toISOString();
    const annotations = {
      ...lease?.metadata.annotations,
      [UPGRADE_KEYS.by]: by,
      [UPGRADE_KEYS.why]: why,
      [UPGRADE_KEYS.until]: until,
    };
    const labels = { ...lease?.metadata.labels, [LABELS.managedBy]: MANAGED_BY };
    if (lease)
      await this.#options.kube.replace('lease', { ...lease, metadata: { ...lease.metadata, annotations, labels }, spec }, { signal });
    else await this.#options.kube.create('lease', { metadata: { name, annotations, labels }, spec }, { signal });
  }

  async #free(lease: StoredObject, signal: AbortSignal): Promise<void> {
    const {
      [UPGRADE_KEYS.by]: _by,
      [UPGRADE_KEYS.why]: _why,
      [UPGRADE_KEYS.until]: _until,
      ...annotations
    } = lease.metadata.annotations ?? {};
    const spec = { renewTime: microTime(this.#now()) };
    await this.#options.kube.replace('lease', { ...lease, metadata: { ...lease.metadata, annotations }, spec }, { signal });
  }
}

function specOf(lease: StoredObject): LeaseSpec {
  return (lease['spec'] ?? {}) as LeaseSpec;
}

function holderOf(lease: StoredObject): string | undefined {
  return specOf(lease).holderIdentity || undefined;
}

/** A CONFLICT of the API server, not one of ours. */
function isMadeMeanwhile(error: unknown): boolean {
  return isPlatformError(error, 'CONFLICT') && error.details['status'] === 409;
}

function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
