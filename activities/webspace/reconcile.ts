import { type ObservedInstance, planProjection, statusChange, unknownStatus } from '#libs/domain/projection.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { type Observation, usesDhcp } from './observe.js';

/** As long as the original waited for an address. */
const DHCP_MS = 15_000;

export interface Round {
  readonly outcome: string;
  readonly again: boolean;
}

/** One round of level-triggered repair. It never writes to LXD and never creates a `Webspace`. */
export function reconcileSteps(deps: Deps) {
  const { locks, claims, projection, observer, installation, platform, metrics, replacedMembers } = deps;

  /** The `Webspace` of an instance that LXD itself says is gone. */
  async function removeOrphan(name: string, uid: string, signal: AbortSignal): Promise<boolean> {
    if (!(await installation.isPinnedLxd(signal))) return false;
    // After the objects were read, before LXD is: else a creation that began meanwhile has its `Webspace`, and no instance yet.
    const lock = await locks.read(name, signal);
    if (lock && (await locks.busyReason(lock))) throw new PlatformError('STALE', `An operation on ${name} has begun meanwhile.`);
    const again = await observer.instance(name, signal);
    const gone = again.is === 'absent' || again.is === 'not-a-webspace' || (again.is === 'present' && again.record.uid !== uid);
    if (!gone) return false;
    await projection.removeAll(uid, signal);
    for (const { kind, object } of await claims.of(uid, signal)) await claims.release(kind, object, signal);
    return true;
  }

  /** A container that has just been started without us gets its address by DHCP some time later, which LXD sends no event for. */
  async function observe(name: string, signal: AbortSignal): Promise<Observation> {
    const observed = await observer.observe(name, signal);
    const { instance, lock } = observed;
    if (lock?.holder || !usesDhcp(instance) || (instance.is === 'present' && instance.reportedAddress !== undefined)) return observed;
    await observer.awaitAddress(name, Date.now() + DHCP_MS, signal);
    return observer.observe(name, signal);
  }

  /** Its visitors were led away from the member, and are not to be led back. */
  async function stopsSoon(instance: ObservedInstance, signal: AbortSignal): Promise<boolean> {
    if (instance.is !== 'present' || instance.phase !== 'running' || instance.member === undefined) return false;
    return replacedMembers.stopsWith(instance.member, instance.lastUsedAt, signal);
  }

  async function round(call: Call, name: string, observed: Observation): Promise<Round> {
    const { signal } = call;
    const { lock, objects, instance } = observed;
    if (lock?.holder && (await locks.busyReason(lock))) {
      await locks.markLookAgain(lock, signal);
      return { outcome: 'left to the operation that holds the lock', again: false };
    }
    if (
      instance.is === 'present' &&
      (instance.record.deletedBy !== undefined || lock?.deleted.some(({ uid }) => uid === instance.record.uid))
    ) {
      return { outcome: 'deleted: nothing is projected', again: false };
    }
    const plan = planProjection(name, instance, objects, platform);
    switch (plan.verdict) {
      case 'nothing':
        return { outcome: 'in step', again: false };
      case 'restore':
        return { outcome: 'needs a restore: left to the sweep', again: false };
      case 'orphan': {
        if (await removeOrphan(name, plan.uid, signal)) return { outcome: 'removed: its instance is gone', again: false };
        metrics.refused('orphan-in-doubt');
        const message = 'The instance is missing at this address, and it is not sure that this is the LXD of the installation.';
        const status = statusChange(plan.webspace, unknownStatus('InstanceInDoubt', message));
        if (status) await projection.writeStatus(plan.webspace, status, signal);
        return { outcome: 'in doubt: nothing removed', again: false };
      }
      case 'unknown':
        await projection.apply(plan, objects, signal);
        return { outcome: 'LXD does not tell: nothing rerouted', again: false };
      case 'update': {
        if (await stopsSoon(instance, signal)) return { outcome: 'left as it is: it stops with its member', again: false };
        await projection.apply(plan, objects, signal);
        // Something else may have looked at an older LXD and written meanwhile, or this round did: one that finds nothing to do is the last.
        return { outcome: `updated ${plan.apply.length + plan.remove.length} objects`, again: true };
      }
    }
  }

  return {
    async reconcile(call: Call, name: string): Promise<Round> {
      try {
        return await round(call, name, await observe(name, call.signal));
      } catch (error) {
        if (isPlatformError(error, 'STALE') || isPlatformError(error, 'NOT_FOUND')) return { outcome: 'changed meanwhile', again: true };
        throw error;
      }
    },
  };
}
