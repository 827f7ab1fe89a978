import type { Logger } from 'pino';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { LABELS, MANAGED_BY } from '#libs/contracts/webspaces-api.js';
import { isPlatformError, messageOf } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from './client.js';

export interface LeaderOptions {
  readonly kube: KubernetesClient;
  /** Name of the Lease. */
  readonly lease: string;
  /** Of this process, like no other's; one that was kept lets a restarted process go on at once. */
  readonly identity: string;
  readonly leaseSeconds: number;
  readonly log: Logger;
  /** Called one after another; a failure is said, and tried again with the next renewal. */
  readonly onActive: () => Promise<void>;
  readonly onStandby: () => Promise<void>;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/**
 * Which of several processes is the active one, by a Lease: it belongs to whoever's write fitted its resourceVersion. A standby takes it over
 * when it saw no renewal for the Lease's time by its own clock. The active one goes on while Kubernetes is away (nobody else could take it
 * then) and stands by as soon as it reads another holder: for that moment two may be active, which the work must bear.
 */
export class Leader {
  readonly #options: LeaderOptions;
  readonly #stop = new AbortController();
  #active = false;
  #seen: { readonly version: string; readonly at: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: LeaderOptions) {
    this.#options = options;
  }

  get active(): boolean {
    return this.#active;
  }

  start(): void {
    this.#turn = this.#go();
  }

  /** Gives the Lease back, so that a standby takes over at once. */
  async release(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#turn;
    if (!this.#active) return;
    this.#active = false;
    const { kube, log, identity } = this.#options;
    try {
      const lease = await kube.find('lease', this.#options.lease);
      if (lease && specOf(lease).holderIdentity === identity)
        await kube.replace('lease', { ...lease, spec: { ...specOf(lease), holderIdentity: '' } });
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'the Lease could not be given back; it runs out by itself');
    }
  }

  async #go(): Promise<void> {
    try {
      await this.#look();
    } catch (error) {
      // Another one was quicker, or Kubernetes is away: the next look tells.
      const quicker = isPlatformError(error, 'STALE') || isPlatformError(error, 'CONFLICT');
      if (!quicker) this.#options.log.warn({ error: messageOf(error), active: this.#active }, 'the Lease could not be read or renewed');
    }
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(
      () => {
        this.#turn = this.#go();
      },
      (this.#options.leaseSeconds * 1000) / 4,
    );
  }

  async #look(): Promise<void> {
    const { kube, identity, leaseSeconds, lease: name } = this.#options;
    const lease = await kube.find('lease', name);
    if (!lease) {
      await kube.create('lease', { metadata: { name, labels: { [LABELS.managedBy]: MANAGED_BY } }, spec: this.#spec() });
      return this.#become(true);
    }
    const spec = specOf(lease);
    const { resourceVersion } = lease.metadata;
    if (spec.holderIdentity === identity) {
      await kube.replace('lease', { ...lease, spec: { ...spec, renewTime: microTime() } });
      return this.#become(true);
    }
    if (this.#active) await this.#become(false);
    if (this.#seen?.version !== resourceVersion) this.#seen = { version: resourceVersion, at: performance.now() };
    const silentMs = performance.now() - this.#seen.at;
    if (spec.holderIdentity && silentMs < (spec.leaseDurationSeconds ?? leaseSeconds) * 1000) return;
    await kube.replace('lease', { ...lease, spec: { ...this.#spec(), leaseTransitions: (spec.leaseTransitions ?? 0) + 1 } });
    return this.#become(true);
  }

  async #become(active: boolean): Promise<void> {
    if (this.#active === active) return;
    const { log, identity, lease, onActive, onStandby } = this.#options;
    log.info({ identity, lease }, active ? 'this one is active now' : 'another one is active now');
    await (active ? onActive() : onStandby());
    this.#active = active;
  }

  #spec(): LeaseSpec {
    const now = microTime();
    // The API wants whole seconds.
    const leaseDurationSeconds = Math.ceil(this.#options.leaseSeconds);
    return { holderIdentity: this.#options.identity, leaseDurationSeconds, acquireTime: now, renewTime: now, leaseTransitions: 0 };
  }
}

function specOf(lease: StoredObject): LeaseSpec {
  return (lease['spec'] ?? {}) as LeaseSpec;
}

/** Kubernetes' MicroTime has six digits of a second. */
function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
