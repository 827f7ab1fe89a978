import { phaseOf } from '#libs/domain/phase.js';
import type { ObservedInstance, ObservedObjects } from '#libs/domain/projection.js';
import { parseRecord } from '#libs/domain/record.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { LxdInstance } from '#libs/lxd/types.js';
import type { Lock, Locks } from '../kubernetes/lock.js';
import type { Projection } from '../kubernetes/projection.js';
import { reportedAddressOf } from '../lxd/nic.js';
import type { Owners } from './owners.js';

const ADDRESS_POLL_MS = 200;

export interface Observation {
  readonly lock: Lock | undefined;
  readonly objects: ObservedObjects;
  readonly instance: ObservedInstance;
}

/** Reads one webspace: our objects and the Lease first, LXD second, so that what is applied is never older than what it replaces. */
export class Observer {
  readonly #lxd: LxdClient;
  readonly #locks: Locks;
  readonly #projection: Projection;
  readonly #owners: Owners;

  constructor(lxd: LxdClient, locks: Locks, projection: Projection, owners: Owners) {
    this.#owners = owners;
    this.#lxd = lxd;
    this.#locks = locks;
    this.#projection = projection;
  }

  /** Whether an operation is under way on the webspace; one read, where {@link observe} makes seven. */
  async isLocked(name: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#locks.read(name, signal))?.holder !== undefined;
  }

  async observe(name: string, signal: AbortSignal): Promise<Observation> {
    const [lock, objects] = await Promise.all([this.#locks.read(name, signal), this.#projection.read(name, signal)]);
    return { lock, objects, instance: await this.instance(name, signal) };
  }

  /** What the record of a webspace of the original does not hold: the owner's user name, and the address of a running container. */
  async complete(name: string, instance: ObservedInstance, signal: AbortSignal): Promise<ObservedInstance> {
    if (instance.is !== 'present') return instance;
    const record = await this.#owners.named(instance.record);
    if (!usesDhcp({ ...instance, record })) return { ...instance, record };
    try {
      const reportedAddress = await this.#reportedAddress(name, signal);
      return { ...instance, record, ...(reportedAddress === undefined ? {} : { reportedAddress }) };
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      return { is: 'unknown', reason: 'LxdUnavailable', message: error.message };
    }
  }

  /** The address that DHCP gives a container which has just been started; undefined when it has none in time. */
  async awaitAddress(name: string, deadline: number, signal: AbortSignal): Promise<string | undefined> {
    for (;;) {
      const address = await this.#reportedAddress(name, signal);
      if (address !== undefined || Date.now() >= deadline) return address;
      await new Promise((resolve) => setTimeout(resolve, ADDRESS_POLL_MS));
      signal.throwIfAborted();
    }
  }

  async #reportedAddress(name: string, signal: AbortSignal): Promise<string | undefined> {
    return reportedAddressOf(await this.#lxd.instances.state(name, { signal }));
  }

  /** What LXD says of one name, by a single GET: only its own 404 is absence. */
  async instance(name: string, signal: AbortSignal): Promise<ObservedInstance> {
    try {
      return await this.complete(name, readInstance((await this.#lxd.instances.get(name, { signal })).value), signal);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (error.code === 'NOT_FOUND') return { is: 'absent' };
      return { is: 'unknown', reason: 'LxdUnavailable', message: error.message };
    }
  }
}

/** Whether only LXD can tell the address at which it is to be met. */
export function usesDhcp(instance: ObservedInstance): boolean {
  return instance.is === 'present' && instance.phase === 'running' && instance.record.network.address === undefined;
}

/** Reads an instance that LXD gave. */
export function readInstance(instance: LxdInstance): ObservedInstance {
  try {
    const record = parseRecord(instance);
    const phase = phaseOf(instance.status_code);
    if (record) return { is: 'present', record, phase, lastUsedAt: instance.last_used_at, member: instance.location };
    // Of an instance whose member is away LXD knows no config, so whether it is a webspace cannot be told.
    if (phase === 'unknown') return { is: 'unknown', reason: 'InstanceUnreadable', message: unreadable(instance) };
    return { is: 'not-a-webspace' };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return { is: 'unknown', reason: 'RecordUnreadable', message: error.message };
  }
}

function unreadable({ status, location }: LxdInstance): string {
  return `LXD shows the instance in state ${status} and without its config: its member (${location}) may be away. Its route stays as it is.`;
}
