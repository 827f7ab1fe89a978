import type { AccountAction } from '#libs/contracts/accounts.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { defaultHost } from './names.js';
import type { WebspaceRecord } from './record.js';

/** What the identity service says of an account. */
export type AccountStanding = { readonly is: 'good'; readonly username: string } | { readonly is: 'deleted' } | { readonly is: 'expired' };

/** An account as a directory shows it, as far as its standing depends on it. */
export interface DirectoryAccount {
  readonly username: string;
  readonly isAdmin: boolean;
  /** ISO 8601; absent where the directory knows no memberships. */
  readonly renewedAt?: string | undefined;
}

export interface PolicyTimes {
  readonly nowMs: number;
  /** How long a membership lasts after it was renewed; undefined for ever. */
  readonly membershipMs: number | undefined;
  /** How long a suspended webspace is kept before it is archived and deleted; undefined for ever. */
  readonly graceMs: number | undefined;
}

/** An admin's account does not end: it is granted and taken away by hand. */
export function standingOf(account: DirectoryAccount | undefined, { nowMs, membershipMs }: PolicyTimes): AccountStanding {
  if (!account) return { is: 'deleted' };
  const ended =
    membershipMs !== undefined &&
    account.renewedAt !== undefined &&
    !account.isAdmin &&
    Date.parse(account.renewedAt) + membershipMs <= nowMs;
  return ended ? { is: 'expired' } : { is: 'good', username: account.username };
}

/**
 * What the standing of its account calls for, one thing at a time: the next round sees to the rest. What an admin has suspended stays so.
 * @throws PlatformError INVALID_INPUT when the account has a new name that cannot be a host name.
 */
export function actionFor(
  name: string,
  record: WebspaceRecord,
  standing: AccountStanding,
  baseDomain: string,
  times: PolicyTimes,
): AccountAction | undefined {
  const owner = record.owner.id;
  const { suspended } = record.policy;
  if (standing.is === 'good') {
    if (suspended && suspended.reason !== 'admin') return { action: 'resume', name, owner };
    // One of the original's has no name written down: it goes by what the identity service says anyway.
    if (record.owner.username === undefined || standing.username === record.owner.username) return undefined;
    return { action: 'rename', name, owner, username: nameable(name, standing.username, baseDomain) };
  }
  if (!suspended) return { action: 'suspend', name, owner, reason: standing.is };
  const due = times.graceMs !== undefined && Date.parse(suspended.since) + times.graceMs <= times.nowMs;
  return due && suspended.reason !== 'admin' ? { action: 'archive', name, owner } : undefined;
}

function nameable(name: string, username: string, baseDomain: string): string {
  try {
    defaultHost(username, baseDomain);
    return username;
  } catch (cause) {
    throw new PlatformError('INVALID_INPUT', `The account of ${name} is called "${username}" now, which cannot be a host name.`, { cause });
  }
}
