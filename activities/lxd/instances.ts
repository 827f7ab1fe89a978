import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { phaseOf } from '#libs/domain/phase.js';
import type { Platform } from '#libs/domain/platform.js';
import { hasRecord, isComplete, isUnreadable, parseRecord, serialiseRecord, uidOf, type WebspaceRecord } from '#libs/domain/record.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient, StateAction } from '#libs/lxd/client.js';
import type { LxdInstance, Versioned } from '#libs/lxd/types.js';
import type { Call } from '../shared/guard.js';
import { ownNic } from './nic.js';
import { changesUnderWay, waitFor, waitForOperationsOn } from './operations-on.js';

const RACES = 5;

/** What webspaces do to LXD instances; each may be run twice and is conditional on the uid in the instance's record. */
export class Instances {
  readonly #lxd: LxdClient;
  readonly #platform: Platform;

  constructor(lxd: LxdClient, platform: Platform) {
    this.#lxd = lxd;
    this.#platform = platform;
  }

  /**
   * The instance, or undefined for LXD's own 404.
   * @throws UNAVAILABLE when LXD shows it without its config because its member is away: whose it is cannot be told then.
   */
  async find(name: string, signal: AbortSignal): Promise<Versioned<LxdInstance> | undefined> {
    let found: Versioned<LxdInstance>;
    try {
      found = await this.#lxd.instances.get(name, { signal });
    } catch (error) {
      if (isPlatformError(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
    if (phaseOf(found.value.status_code) === 'unknown' && !hasRecord(found.value)) throw unreadable(name);
    return found;
  }

  /**
   * The instance exists, whole, with this record. One that a former attempt made is adopted; a half-made one (LXD died while it unpacked the
   * image, and resumes nothing) is made again.
   * @throws CONFLICT when the name belongs to something else.
   */
  async ensure(call: Call, name: string, record: WebspaceRecord, target?: string): Promise<void> {
    for (let look = call.attempt > 1; ; look = true) {
      if (look && (await this.#adopt(call, name, record.uid))) return;
      try {
        await waitFor(call, await this.#create(call, name, record, target), `making instance ${name}`);
        return;
      } catch (error) {
        if (look || !isPlatformError(error, 'CONFLICT')) throw error;
      }
    }
  }

  async #adopt(call: Call, name: string, uid: string): Promise<boolean> {
    await waitForOperationsOn(call, this.#lxd, name);
    const found = await this.find(name, call.signal);
    if (!found) return false;
    if (uidOf(found.value) !== uid) {
      throw new PlatformError('CONFLICT', `An instance named ${name} exists already and is not this webspace.`, {
        details: { reason: 'exists' },
      });
    }
    if (isComplete(found.value)) return true;
    await waitFor(call, await this.#lxd.instances.delete(name, { signal: call.signal }), `removing half-made instance ${name}`);
    return false;
  }

  #create(call: Call, name: string, record: WebspaceRecord, target: string | undefined) {
    const { address } = record.network;
    if (address === undefined) throw new Error(`a new webspace has an address: ${name}`);
    return this.#lxd.instances.create(
      {
        name,
        fingerprint: record.image.fingerprint,
        target,
        profiles: this.#platform.profiles,
        config: { [RECORD_KEY]: serialiseRecord(record) },
        devices: { eth0: ownNic(this.#platform, address) },
      },
      { signal: call.signal },
    );
  }

  /** The container runs; `changed` tells whether it did not before. A paused one is resumed. */
  async start(call: Call, instance: LxdInstance): Promise<{ changed: boolean }> {
    for (let race = 0; race < RACES; race++) {
      const current = race === 0 ? instance : (await this.#lxd.instances.get(instance.name, { signal: call.signal })).value;
      const phase = phaseOf(current.status_code);
      if (phase === 'running') return { changed: race > 0 };
      if (phase === 'unknown') throw unreadable(instance.name);
      if (await this.#change(call, instance.name, phase === 'paused' ? 'unfreeze' : 'start', 30, 'hard')) return { changed: true };
    }
    throw busy(instance.name);
  }

  /** The container is stopped, cleanly within the time given or else by force. */
  async stop(call: Call, name: string, timeoutSeconds: number): Promise<{ forced: boolean }> {
    let forced = timeoutSeconds === 0;
    for (let race = 0; race < RACES; race++) {
      const found = await this.find(name, call.signal);
      const phase = found ? phaseOf(found.value.status_code) : 'stopped';
      if (phase === 'stopped') return { forced };
      if (phase === 'unknown') throw unreadable(name);
      // A frozen container cannot hear the request to stop.
      forced ||= phase === 'paused';
      try {
        await this.#change(call, name, 'stop', forced ? 30 : timeoutSeconds, forced ? 'hard' : 'clean');
      } catch (error) {
        if (forced || !isPlatformError(error, 'OPERATION_FAILED')) throw error;
        forced = true;
      }
    }
    throw busy(name);
  }

  /** False when LXD was busy with the instance or it was in that state already: look again. */
  async #change(call: Call, name: string, action: StateAction, timeoutSeconds: number, way: 'clean' | 'hard'): Promise<boolean> {
    const { signal } = call;
    try {
      const change = { action, timeoutSeconds, force: way === 'hard' && action === 'stop' };
      await waitFor(call, await this.#lxd.instances.changeState(name, change, { signal }), `${action} ${name}`);
      return true;
    } catch (error) {
      if (!isPlatformError(error)) throw error;
      const { reason } = error.details;
      const passing = reason === 'already-running' || reason === 'not-running' || reason === 'busy' || error.details['lost'] === true;
      if (!passing) throw error;
      await waitForOperationsOn(call, this.#lxd, name);
      return false;
    }
  }

  /**
   * LXD answers 404 for this uid, looked at again after everything under way on the name has ended. Another uid's instance of the same name
   * is not touched; one whose record cannot be read only by a delete, which knows from elsewhere whose it is.
   */
  async remove(
    call: Call,
    name: string,
    uid: string,
    { gracefulSeconds, unreadable }: { readonly gracefulSeconds: number; readonly unreadable: 'too' | 'never' },
  ): Promise<void> {
    const isMeant = (instance: LxdInstance) => uidOf(instance) === uid || (unreadable === 'too' && isUnreadable(instance));
    for (let race = 0; race < RACES; race++) {
      await waitForOperationsOn(call, this.#lxd, name);
      const found = await this.find(name, call.signal);
      if (!found || !isMeant(found.value)) {
        // A creation that was sent and not yet begun shows only now.
        if ((await changesUnderWay(this.#lxd, name, call.signal)).length === 0) return;
        continue;
      }
      await this.stop(call, name, isComplete(found.value) ? gracefulSeconds : 0);
      try {
        await waitFor(call, await this.#lxd.instances.delete(name, { signal: call.signal }), `removing instance ${name}`);
      } catch (error) {
        const passing =
          isPlatformError(error, 'NOT_FOUND') || isPlatformError(error, 'CONFLICT') || isPlatformError(error, 'INVALID_INPUT');
        if (!passing) throw error;
      }
    }
    throw busy(name);
  }

  /** Marks the record as being deleted, if there is one and it is this uid's. */
  async markDeleted(call: Call, name: string, uid: string, operationId: string): Promise<void> {
    await this.rewrite(call, name, uid, (record) => (record.deletedBy === undefined ? { ...record, deletedBy: operationId } : undefined));
  }

  /**
   * Writes what is made of the record of this uid, whatever else writes it meanwhile. Gives false, and writes nothing, when there is no such
   * record (any more); `undefined` leaves it as it is.
   */
  async rewrite(call: Call, name: string, uid: string, change: (record: WebspaceRecord) => WebspaceRecord | undefined): Promise<boolean> {
    for (let race = 0; race < RACES; race++) {
      const found = await this.find(name, call.signal);
      const read = found && uidOf(found.value) === uid ? parseRecord(found.value) : undefined;
      if (!found || !read) return false;
      const record = change(read);
      if (record === undefined) return true;
      try {
        const config = { [RECORD_KEY]: serialiseRecord(record) };
        await this.#lxd.instances.patchConfig(name, config, { etag: found.etag, signal: call.signal });
        return true;
      } catch (error) {
        if (isPlatformError(error, 'NOT_FOUND')) return false;
        if (!isPlatformError(error, 'STALE')) throw error;
      }
    }
    throw busy(name);
  }
}

function busy(name: string): PlatformError {
  return new PlatformError('UNAVAILABLE', `LXD is busy with ${name}; trying again.`, { details: { reason: 'busy' } });
}

function unreadable(name: string): PlatformError {
  return new PlatformError('UNAVAILABLE', `LXD shows ${name} in state ERROR: its cluster member may be away. Try again when it is back.`);
}
