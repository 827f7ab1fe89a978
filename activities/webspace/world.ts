import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { type ObservedInstance, type ObservedObjects, statusChange, uidOfObject, unknownStatus } from '#libs/domain/projection.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import { type ClaimObject, claimSpec } from '../kubernetes/claims.js';
import type { Lock } from '../kubernetes/lock.js';
import type { Projection } from '../kubernetes/projection.js';

/** Everything there is, read once: our objects first, LXD second. */
export interface World {
  readonly objects: Map<string, ObservedObjects>;
  readonly locks: Map<string, Lock>;
  readonly claims: readonly ClaimObject[];
  readonly instances: Map<string, ObservedInstance>;
}

/** The uids of all webspaces that Kubernetes knows of and no operation is making or removing. */
export function settledUids({ objects, claims, locks }: World): Set<string> {
  const uids = new Set<string>();
  const add = (name: string | undefined, uid: string | undefined) => {
    if (name !== undefined && uid !== undefined && !locks.get(name)?.holder) uids.add(uid);
  };
  for (const [name, { webspace }] of objects) add(name, uidOfObject(webspace));
  for (const { object } of claims) add(claimSpec(object).webspace, claimSpec(object).uid);
  return uids;
}

/** Says on a `Webspace` why nothing is known of it now; nothing else is written. */
export async function markUnknown(
  projection: Projection,
  webspace: StoredObject | undefined,
  why: { readonly reason: string; readonly message: string },
  signal: AbortSignal,
): Promise<void> {
  const status = statusChange(webspace, unknownStatus(why.reason, why.message));
  if (!webspace || !status) return;
  try {
    await projection.writeStatus(webspace, status, signal);
  } catch (error) {
    // Gone or written since: the next look tells.
    if (!isPlatformError(error, 'STALE') && !isPlatformError(error, 'NOT_FOUND')) throw error;
  }
}
