import { createHash } from 'node:crypto';
import { PlatformError } from '#libs/errors/platform-error.js';

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** Account ids as the original's identity service gives them. */
const NUMERIC_ID = /^(0|[1-9][0-9]{0,17})$/;

/**
 * The webspace (and LXD instance) of an account: `<prefix>u<id>` for a numeric id as the original's identity service gives it,
 * `<prefix>x<12 base32 digits of its SHA-256>` for any other subject. Deterministic, at most 63 characters for prefixes up to 40.
 */
export function webspaceNameFor(prefix: string, accountId: string): string {
  return `${prefix}${accountKey(accountId)}`;
}

/** The part of a webspace's name that tells its account from all others; what stands for the account wherever its id cannot. */
export function accountKey(accountId: string): string {
  if (NUMERIC_ID.test(accountId)) return `u${accountId}`;
  const digest = createHash('sha256').update(accountId).digest();
  let bits = 0n;
  for (const byte of digest.subarray(0, 8)) bits = (bits << 8n) | BigInt(byte);
  let encoded = '';
  for (let i = 0; i < 12; i++) encoded += BASE32[Number((bits >> BigInt(64 - 5 * (i + 1))) & 31n)];
  return `x${encoded}`;
}

/**
 * The number that stands for an account in v1, whose clients read a 32-bit integer: the id itself when it is numeric, else a negative one from the
 * subject's SHA-256, which no account has. It is for reading only: v1 paths name such an account by `self`, user name or `id:<subject>`.
 */
export function legacyUserNumber(accountId: string): number {
  if (NUMERIC_ID.test(accountId) && Number.isSafeInteger(Number(accountId))) return Number(accountId);
  return -1 - (createHash('sha256').update(accountId).digest().readUInt32BE(0) >>> 1);
}

/** Whether an LXD instance name is one of ours by its form. */
export function isWebspaceName(prefix: string, name: string): boolean {
  return name.startsWith(prefix) && /^(u(0|[1-9][0-9]{0,17})|x[a-z2-7]{12})$/.test(name.slice(prefix.length));
}

/**
 * The default host name `<user name>.<base domain>`, in lower case.
 * @throws PlatformError INVALID_INPUT when the user name is not one DNS label: the wildcard certificate covers one level only.
 */
export function defaultHost(username: string, baseDomain: string): string {
  if (!canBeHost(username)) {
    throw new PlatformError(
      'INVALID_INPUT',
      `The user name "${username}" cannot be a host name under ${baseDomain}: use letters, digits and inner hyphens, at most 63.`,
      { details: { field: 'username' } },
    );
  }
  return `${username.toLowerCase()}.${baseDomain}`;
}

/** Whether a user name is one DNS label. */
export function canBeHost(username: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(username);
}
