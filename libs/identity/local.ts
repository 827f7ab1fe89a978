import { jwtVerify, SignJWT } from 'jose';
import { readSecretFile } from '#libs/config/secret-file.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { claimsSchema, LOCAL_ISSUER, TOKEN_AUDIENCE, unauthorized } from './claims.js';
import type { AccountInfo, IdentityAdapter } from './identity.js';
import { UsersFile } from './users-file.js';

const MIN_KEY_BYTES = 32;

export interface LocalIdentityConfig {
  readonly keyFile: string;
  readonly usersFile: string;
}

/** Tokens signed with a key file, accounts from a users file: for the lab and for installations without an identity service. */
export function createLocalAdapter({ keyFile, usersFile }: LocalIdentityConfig): IdentityAdapter {
  const key = readLocalKey(keyFile);
  const file = new UsersFile(usersFile);

  return {
    async verify(token) {
      const claims = await verifyClaims(token, key);
      const user = (await file.users()).byId.get(claims.sub);
      if (!user) throw unauthorized('its account does not exist');
      if (user.version !== claims.version) throw unauthorized('it was revoked');
      return { account: user, isAdmin: user.isAdmin && claims.is_admin, expiresAt: claims.exp * 1000 };
    },
    directory: {
      byId: async (id) => (await file.users()).byId.get(id),
      byName: async (username) => (await file.users()).byName.get(username),
    },
    check: () => file.check(),
  };
}

/** The signing key of a key file. @throws PlatformError INVALID_INPUT when it is shorter than HS256 asks for. */
export function readLocalKey(keyFile: string): Uint8Array {
  const key = Buffer.from(readSecretFile(keyFile), 'utf8');
  if (key.length < MIN_KEY_BYTES) throw new PlatformError('INVALID_INPUT', `The key in ${keyFile} is shorter than ${MIN_KEY_BYTES} bytes.`);
  return new Uint8Array(key);
}

/** Issues a token for a user of the users file, as the original's identity service would. */
export async function issueLocalToken(
  key: Uint8Array,
  user: Pick<AccountInfo, 'id' | 'isAdmin'> & { readonly version?: number },
  { ttlSeconds, now = Date.now() }: { readonly ttlSeconds: number; readonly now?: number },
): Promise<string> {
  const seconds = Math.floor(now / 1000);
  return await new SignJWT({ is_admin: user.isAdmin, version: user.version ?? 0 })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(user.id)
    .setIssuer(LOCAL_ISSUER)
    .setAudience([TOKEN_AUDIENCE])
    .setIssuedAt(seconds)
    .setNotBefore(seconds)
    .setExpirationTime(seconds + ttlSeconds)
    .sign(key);
}

async function verifyClaims(token: string, key: Uint8Array) {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['HS256'],
      issuer: LOCAL_ISSUER,
      audience: TOKEN_AUDIENCE,
      requiredClaims: ['sub', 'exp'],
    });
    return claimsSchema.parse(payload);
  } catch (error) {
    throw unauthorized((error as { code?: string }).code === 'ERR_JWT_EXPIRED' ? 'it has expired' : 'it is not valid', error);
  }
}
