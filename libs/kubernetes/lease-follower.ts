import type { Logger } from 'pino';
import { messageOf } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from './client.js';

export interface LeaseFollowerOptions {
  readonly kube: KubernetesClient;
  /** Name of the Lease, which others hold. */
  readonly lease: string;
  /** Holders are `<pod>/…`: which pod makes this process the active one. */
  readonly podName: string;
  readonly everySeconds: number;
  readonly log: Logger;
  /** Called one after another; a failure is said, and tried again with the next look. */
  readonly onActive: () => Promise<void>;
  readonly onStandby: () => Promise<void>;
}

/**
 * Active while another process of the same pod holds a Lease: what belongs together moves together. Writes nothing. While the Lease cannot be
 * read, or nobody holds it, everything stays as it is: what the kernel does for connections goes on.
 */
export class LeaseFollower {
  readonly #options: LeaseFollowerOptions;
  #ending = false;
  #active = false;
  #said = false;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: LeaseFollowerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#turn = this.#go();
  }

  /** Nothing to give back. */
  async release(): Promise<void> {
    this.#ending = true;
    clearTimeout(this.#timer);
    await this.#turn;
  }

  async #go(): Promise<void> {
    const { lease, log, everySeconds } = this.#options;
    try {
      await this.#look();
      this.#said = false;
    } catch (error) {
      if (!this.#said)
        log.warn({ lease, error: messageOf(error), active: this.#active }, 'the Lease could not be read or followed, trying again');
      this.#said = true;
    }
    if (this.#ending) return;
    this.#timer = setTimeout(() => {
      this.#turn = this.#go();
    }, everySeconds * 1000);
  }

  async #look(): Promise<void> {
    const { kube, lease, podName, log, onActive, onStandby } = this.#options;
    const found = await kube.find('lease', lease);
    const { holderIdentity = '' } = (found?.['spec'] ?? {}) as { readonly holderIdentity?: string };
    if (holderIdentity === '') return;
    const active = holderIdentity.startsWith(`${podName}/`);
    if (active === this.#active) return;
    log.info({ lease, holder: holderIdentity }, active ? 'this one is active now' : 'another one is active now');
    await (active ? onActive() : onStandby());
    this.#active = active;
  }
}
