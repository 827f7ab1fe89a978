import type { Acting, Busy, WebspaceFacts } from '#libs/contracts/activities.js';
import { claimKey, claimsOf, holdsOn } from '#libs/domain/claims.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { MayTake } from '../kubernetes/claims.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { settleAll } from '../shared/settle-all.js';
import { factsOf, recordOf } from './facts.js';
import { takeWebspace } from './take.js';

/** The steps that rebuild claims and objects from one record. */
export function restoreSteps(deps: Deps) {
  const { locks, claims, observer, platform, projection } = deps;

  /**
   * An address at rest, a claim of our own name, or one whose webspace does not name it (any more) gives way to a record. Of two records
   * that name the same the older wins: its claim stays.
   */
  function givesWay(name: string, createdAt: string, signal: AbortSignal): MayTake {
    return async ({ kind, object, spec }) => {
      if (spec.webspace === undefined || spec.webspace === name) return true;
      const other = await observer.instance(spec.webspace, signal);
      if (other.is === 'unknown') return false;
      if (other.is !== 'present' || other.record.uid !== spec.uid) return (await locks.read(spec.webspace, signal))?.holder === undefined;
      const named = holdsOn(other.record, { kind, name: object.metadata.name }, platform.baseDomain);
      return !named || createdAt < other.record.createdAt;
    };
  }

  return {
    async readForRestore(call: Call, acting: Acting): Promise<WebspaceFacts | Busy> {
      const taken = await takeWebspace(deps, call, acting);
      return 'busy' in taken ? taken : factsOf(taken.record, platform);
    },

    async restoreClaims(call: Call, acting: Acting, facts: WebspaceFacts): Promise<void> {
      await locks.assertHeld(acting, call.me, call.signal);
      const record = recordOf(facts);
      const claimant = { name: acting.name, uid: record.uid, operationId: record.createdBy };
      const mayTake = givesWay(acting.name, record.createdAt, call.signal);
      await settleAll(
        claimsOf(record, platform.baseDomain).map(async (claim) => {
          try {
            await claims.ensure(claim, claimant, mayTake, call.signal);
          } catch (error) {
            // Held by an older webspace: this one is published without it, and says so.
            if (!isPlatformError(error, 'CONFLICT')) throw error;
          }
        }),
      );
    },

    async ensureProjection(call: Call, acting: Acting, facts: WebspaceFacts): Promise<void> {
      await locks.assertHeld(acting, call.me, call.signal);
      const record = recordOf(facts);
      // Its site may be running: its route must not lead elsewhere meanwhile.
      const withheld = await claims.heldByOthers(claimsOf(record, platform.baseDomain), record.uid, call.signal);
      await projection.ensureWebspace(acting.name, record, withheld.map(claimKey), call.signal);
    },
  };
}
