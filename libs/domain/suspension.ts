import { z } from 'zod';
import { ACCOUNT_POLICY, SUSPENSION_REASONS } from '#libs/contracts/accounts.js';
import type { SuspensionChange } from '#libs/contracts/operations.js';
import { PlatformError } from '#libs/errors/platform-error.js';

/** In a record's policy: the webspace is off, and nobody but an admin or its account's return can turn it on. */
export const suspensionSchema = z.looseObject({
  /** ISO 8601 in UTC. */
  since: z.iso.datetime(),
  reason: z.enum(SUSPENSION_REASONS),
  /** User name of the admin, or `account-policy`. */
  by: z.string().min(1),
  /** What an admin had to say about it. */
  note: z.string().max(500).optional(),
});
export type Suspension = z.infer<typeof suspensionSchema>;

const WHY = {
  deleted: 'its account does not exist any more',
  expired: 'the membership of its account has ended. It comes back when that is renewed',
  admin: 'an admin has suspended it',
} as const satisfies Record<Suspension['reason'], string>;

/** One sentence for members and operators. */
export function suspensionText(name: string, { since, reason, note }: Suspension): string {
  return `${name} is suspended since ${since}: ${WHY[reason]}${note === undefined ? '' : ` (${note})`}.`;
}

export function suspendedError(name: string, suspension: Suspension): PlatformError {
  return new PlatformError('CONFLICT', suspensionText(name, suspension), { details: { legacyMessage: 'suspended', reason: 'suspended' } });
}

/** What the original's clients would call it, had it had this. */
const conflict = (legacyMessage: string, message: string) => new PlatformError('CONFLICT', message, { details: { legacyMessage } });

/**
 * A policy with the suspension imposed or lifted. An admin's takes the place of the account's, and only an admin lifts it.
 * @throws PlatformError CONFLICT when it is so already, or not the account policy's to lift.
 */
export function changedPolicy<P extends { readonly suspended?: Suspension | undefined }>(policy: P, change: SuspensionChange): P {
  const { suspended, ...rest } = policy;
  if (change.to === 'resumed') {
    if (!suspended) throw conflict('not suspended', 'The webspace is not suspended.');
    if (suspended.reason === 'admin' && change.by === ACCOUNT_POLICY) throw conflict('suspended', 'An admin has suspended the webspace.');
    return rest as P;
  }
  if (suspended && (suspended.reason === 'admin' || change.reason !== 'admin'))
    throw conflict('suspended', 'The webspace is suspended already.');
  const { since, reason, by, note } = change;
  return { ...policy, suspended: { since: suspended?.since ?? since, reason, by, ...(note === undefined ? {} : { note }) } };
}

/** Whether a webspace is off because of its account: the one kind that is archived in the end. */
export function isSuspendedByAccount({ suspended }: { readonly suspended?: Suspension | undefined }): boolean {
  return suspended !== undefined && suspended.reason !== 'admin';
}
