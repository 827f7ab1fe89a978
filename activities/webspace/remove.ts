import type { Acting, MarkedDeleted } from '#libs/contracts/activities.js';
import { workflowIdOf } from '#libs/contracts/ids.js';
import { uidOfObject } from '#libs/domain/projection.js';
import { parseRecord, uidOf } from '#libs/domain/record.js';
import { isPlatformError, noWebspace, PlatformError } from '#libs/errors/platform-error.js';
import { type Lock, sameHolder } from '../kubernetes/lock.js';
import { Instances } from '../lxd/instances.js';
import type { Deps } from '../shared/deps.js';
import type { Call, Holder } from '../shared/guard.js';

/** A cancelled operation has this long to undo itself before it is terminated. */
const CANCEL_DEADLINE_MS = 30_000;
const POLL_MS = 100;
const GRACEFUL_STOP_SECONDS = 10;
const SEARCHES = 20;
const UNDO = { gracefulSeconds: 0, unreadable: 'never' } as const;

/** The steps of delete, which are also the undo of a creation. */
export function removeSteps(deps: Deps) {
  const { locks, claims, projection, observer, kube, runs, platform } = deps;
  const instances = new Instances(deps.lxd, platform);

  /** The uid that lives under a name: of the instance, of the creation under way, or of a `Webspace` whose instance is gone. */
  async function uidUnder(name: string, signal: AbortSignal): Promise<string | undefined> {
    const lock = await locks.read(name, signal);
    const found = await instances.find(name, signal);
    const uid = found && uidOf(found.value);
    if (uid !== undefined) return uid;
    if (lock?.holder && lock.kind === 'create') return lock.uid;
    const published = uidOfObject(await kube.find('webspace', name, { signal }));
    // With a record that cannot be read, and nothing published, nothing tells what would be deleted: this says what to do.
    if (published === undefined && found) parseRecord(found.value);
    return published;
  }

  /** A delete must hold the lock; an undo whose lock was taken over leaves the rest to who took it. */
  async function mayAct(call: Call, acting: Acting): Promise<boolean> {
    if (acting.kind !== 'delete') return locks.holds(acting, call.me, call.signal);
    await locks.assertHeld(acting, call.me, call.signal);
    return true;
  }

  async function waitUntilClosed(call: Call, run: Holder, deadline: number): Promise<boolean> {
    for (;;) {
      if ((await runs.describe(run)).is !== 'open') return true;
      if (Date.now() >= deadline) return false;
      call.waiting({ waitingFor: `${run.workflowId} to end`, deadline: new Date(deadline).toISOString() });
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      call.signal.throwIfAborted();
    }
  }

  return {
    async markDeleted(call: Call, acting: Acting): Promise<MarkedDeleted> {
      const { name, operationId } = acting;
      // What a former attempt has marked may be undone by now, and another webspace be under the name.
      const marked = call.attempt > 1 ? await locks.markedBy(acting, call.signal) : undefined;
      const uid = marked ?? (await uidUnder(name, call.signal));
      if (uid === undefined) throw noWebspace(name);
      await locks.markDeleted({ ...acting, uid }, call.me, call.signal);
      await instances.markDeleted(call, name, uid, operationId);
      return { uid };
    },

    async takeOver(call: Call, acting: Acting): Promise<void> {
      const { name } = acting;
      const { signal } = call;
      await runs.cancel(workflowIdOf('boot', name, ''));
      for (;;) {
        const deadline = Date.now() + CANCEL_DEADLINE_MS;
        const acquired = await locks.acquire(acting, call.me, signal);
        if (!('busy' in acquired)) return;
        call.waiting({ waitingFor: acquired.busy, deadline: new Date(deadline).toISOString() });
        const lock = await locks.read(name, signal);
        if (lock?.holder && isToBeEnded(lock, acting)) {
          await runs.cancel(lock.holder.workflowId, lock.holder.runId);
          if (!(await waitUntilClosed(call, lock.holder, deadline))) await runs.terminate(lock.holder, `${name} is being deleted`);
        }
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        signal.throwIfAborted();
      }
    },

    async removeInstance(call: Call, acting: Acting): Promise<void> {
      if (!(await mayAct(call, acting))) return;
      await projection.removeRoutes(acting.uid, call.signal);
      const removal = acting.kind === 'delete' ? ({ gracefulSeconds: GRACEFUL_STOP_SECONDS, unreadable: 'too' } as const) : UNDO;
      await instances.remove(call, acting.name, acting.uid, removal);
    },

    async removeObjects(call: Call, acting: Acting): Promise<void> {
      if (!(await mayAct(call, acting))) return;
      const { name, uid } = acting;
      const { signal } = call;
      let left: string[] = [];
      for (let search = 0; search < SEARCHES; search++) {
        await projection.removeAll(uid, signal);
        for (const { kind, object } of await claims.of(uid, signal)) {
          await claims.release(kind, object, signal).catch((error: unknown) => {
            // Written since it was read: the next search meets it again.
            if (!isPlatformError(error, 'STALE')) throw error;
          });
        }
        left = await projection.search(uid, signal);
        const instance = await observer.instance(name, signal);
        if (instance.is === 'unknown') throw new PlatformError('UNAVAILABLE', instance.message);
        if (instance.is === 'present' && instance.record.uid === uid) left.push(`instance ${name}`);
        if (left.length === 0) return;
      }
      throw new PlatformError('UNAVAILABLE', `Still there after the removal of ${name}: ${left.join(', ')}. Trying again.`);
    },

    async releaseLock(call: Call, acting: Acting, tombstone: 'tombstone' | 'none'): Promise<void> {
      for (;;) {
        const lock = await locks.read(acting.name, call.signal);
        if (!lock?.holder || !sameHolder(lock.holder, call.me)) return;
        try {
          await locks.release(acting, lock, tombstone, call.signal);
          return;
        } catch (error) {
          if (!isPlatformError(error, 'STALE')) throw error;
        }
      }
    },
  };
}

/** Another delete is waited for, and so is a creation of another uid, which began after this one's webspace was gone. */
function isToBeEnded(lock: Lock, acting: Acting): boolean {
  return lock.kind !== 'delete' && !(lock.kind === 'create' && lock.uid !== acting.uid);
}
