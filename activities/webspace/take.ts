import type { Acting, Busy } from '#libs/contracts/activities.js';
import { parseRecord, type WebspaceRecord } from '#libs/domain/record.js';
import { noWebspace, PlatformError } from '#libs/errors/platform-error.js';
import type { LxdInstance, Versioned } from '#libs/lxd/types.js';
import { assertNotDeleted } from '../kubernetes/lock.js';
import { Instances } from '../lxd/instances.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';

/** A webspace whose lock is held, as it was read afterwards: what is read before may be gone. */
export interface Taken {
  readonly found: Versioned<LxdInstance>;
  readonly record: WebspaceRecord;
}

/**
 * Takes the lock, then reads the webspace.
 * @throws NOT_FOUND when there is none, CONFLICT `deleted` when it is being deleted and `unfinished` when only a part of it was made, PROTOCOL when its record cannot be read.
 */
export async function takeWebspace({ lxd, locks, owners, platform }: Deps, call: Call, acting: Acting): Promise<Taken | Busy> {
  const acquired = await locks.acquire(acting, call.me, call.signal);
  if ('busy' in acquired) return { busy: acquired.busy };
  const found = await new Instances(lxd, platform).find(acting.name, call.signal);
  const parsed = found && parseRecord(found.value);
  if (!found || !parsed) throw noWebspace(acting.name);
  const record = await owners.named(parsed);
  assertNotDeleted(acquired.lock, record.uid);
  if (record.deletedBy !== undefined) {
    throw new PlatformError('CONFLICT', `${acting.name} is being deleted.`, { details: { reason: 'deleted' } });
  }
  if (record.phase === 'creating') throw unfinished(acting.name);
  return { found, record };
}

/** Its creation ended without undoing itself, which only a termination does: the sweep removes it. */
function unfinished(name: string): PlatformError {
  return new PlatformError('CONFLICT', `${name} was never made to its end: its creation was terminated. Delete it and make it again.`, {
    details: { reason: 'unfinished' },
  });
}
