import type { CreationExtras } from '#libs/contracts/operations.js';
import type { Platform } from '#libs/domain/platform.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { AccountInfo } from '#libs/identity/identity.js';
import { sha512Crypt } from '#libs/linux/sha512-crypt.js';
import { sshPublicKey } from '#libs/linux/ssh-key.js';
import type { SealContext, Sealing } from '#libs/sealing/sealing.js';

/** What a creation was asked for besides the webspace; checked, not yet fit to travel. */
export interface WantedExtras {
  readonly password?: string;
  readonly sshKey?: string;
}

/**
 * Checks what can be checked before anything is begun.
 * @throws PlatformError INVALID_INPUT, field `ssh`, when the owner's account has no SSH public key, or none that is valid.
 */
export function wantedExtras(
  { password, ssh }: { readonly password?: string | undefined; readonly ssh?: boolean | undefined },
  owner: AccountInfo,
  { limits }: Pick<Platform, 'limits'>,
): WantedExtras {
  if (ssh && limits.portForwards < 1)
    throw refused('ports are not forwarded here, so SSH would not be reached', 'port forward limit reached');
  return { ...(password === undefined ? {} : { password }), ...(ssh ? { sshKey: keyOf(owner) } : {}) };
}

/** The extras as they travel; undefined for a plain creation. The password's hash is made here and leaves sealed. */
export async function sealedExtras(
  { password, sshKey }: WantedExtras,
  sealing: Pick<Sealing, 'seal'>,
): Promise<((context: SealContext) => CreationExtras) | undefined> {
  if (password === undefined && sshKey === undefined) return undefined;
  const hash = password === undefined ? undefined : await sha512Crypt(password);
  return (context) => ({
    ...(hash === undefined ? {} : { passwordHash: sealing.seal(hash, context) }),
    ...(sshKey === undefined ? {} : { sshKey }),
  });
}

function keyOf({ sshKey, username }: AccountInfo): string {
  if (sshKey === undefined || sshKey.trim() === '') {
    throw refused(`the account ${username} has no SSH public key; add one to it first`, 'user has no SSH public key');
  }
  return sshPublicKey(sshKey);
}

function refused(why: string, legacyMessage: string): PlatformError {
  return new PlatformError('INVALID_INPUT', `ssh: ${why}.`, { details: { field: 'ssh', legacyMessage } });
}
