import { readableRecord } from '#libs/domain/record.js';
import { suspendedError } from '#libs/domain/suspension.js';
import type { Caller } from '#libs/identity/identity.js';
import type { LxdInstance } from '#libs/lxd/types.js';

/** @throws PlatformError CONFLICT saying since when and why. */
export function assertNotSuspended(instance: LxdInstance): void {
  const suspension = readableRecord(instance)?.policy.suspended;
  if (suspension) throw suspendedError(instance.name, suspension);
}

/** What an admin has suspended its member does not get rid of by making it again. @throws PlatformError CONFLICT. */
export function assertMayBeDeleted(instance: LxdInstance, { isAdmin }: Caller): void {
  const suspension = readableRecord(instance)?.policy.suspended;
  if (suspension?.reason === 'admin' && !isAdmin) throw suspendedError(instance.name, suspension);
}
