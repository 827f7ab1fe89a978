import type { Acting } from '#libs/contracts/activities.js';
import { isChangeKind } from '#libs/contracts/operations.js';
import { claimsOf, holdsOn } from '#libs/domain/claims.js';
import { planProjection, uidOfObject, withheldOf } from '#libs/domain/projection.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import { sameHolder } from '../kubernetes/lock.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';

const MAX_LOOKS = 20;

/** The end of every operation but creation's undo and delete: a last look, then the lock is freed. */
export function settleSteps({ locks, claims, projection, observer, platform }: Deps) {
  return {
    /**
     * Looks last and releases with the resourceVersion it saw: a mark `look-again` set meanwhile refuses the release, and it looks again.
     * An operation that does not hold the lock (any more) changes nothing.
     */
    async settle(call: Call, acting: Acting): Promise<{ phase: string }> {
      const { signal } = call;
      for (let look = 0; look < MAX_LOOKS; look++) {
        const { lock, objects, instance } = await observer.observe(acting.name, signal);
        if (!lock?.holder || !sameHolder(lock.holder, call.me)) return { phase: instance.is === 'present' ? instance.phase : 'unknown' };
        try {
          if (lock.lookAgain) {
            await locks.clearLookAgain(lock, signal);
            continue;
          }
          const plan = planProjection(acting.name, instance, objects, platform);
          const changed = isChangeKind(acting.kind) && instance.is === 'present' ? instance.record : undefined;
          if (changed && plan.verdict === 'restore' && uidOfObject(objects.webspace) === changed.uid) {
            await projection.ensureWebspace(acting.name, changed, withheldOf(objects.webspace, changed, platform), signal);
            continue;
          }
          if (plan.verdict === 'update' || plan.verdict === 'unknown') await projection.apply(plan, objects, signal);
          // After the routes: a name is free only when nobody is led by it any more.
          if (changed) {
            const { baseDomain } = platform;
            await claims.align(changed.uid, claimsOf(changed, baseDomain), (claim) => !holdsOn(changed, claim, baseDomain), signal);
          }
          await locks.release(acting, lock, 'none', signal);
          return { phase: instance.is === 'present' ? instance.phase : 'unknown' };
        } catch (error) {
          // Somebody wrote one of the objects since they were read, or it is gone.
          if (!isPlatformError(error, 'STALE') && !isPlatformError(error, 'NOT_FOUND')) throw error;
        }
      }
      throw new PlatformError('STALE', `The objects of ${acting.name} keep changing; looking again.`);
    },
  };
}
