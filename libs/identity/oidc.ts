import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify, type LocalJWKSet } from 'jose';
import type { OidcConfig } from '#libs/config/identity.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import { unauthorized } from './claims.js';
import { IdentityHttp } from './http.js';
import type { AccountInfo, IdentityAdapter } from './identity.js';
import { IssuerKeys } from './issuer-keys.js';

/** Kinds of tokens (header `typ`) that let somebody in: a logout token or the like, signed by the same key, does not. */
const TOKEN_TYPES: readonly unknown[] = [undefined, 'jwt', 'at+jwt', 'application/at+jwt'];

/**
 * Bearer tokens of an OpenID Connect issuer, verified here with its published keys (RFC 7519, RFC 9068): signature by an allowed asymmetric
 * algorithm, `iss`, `aud`, `exp` and `nbf`. Such an issuer cannot be asked about other accounts: there is no directory.
 */
export function createOidcAdapter(config: OidcConfig, now: () => number = Date.now): IdentityAdapter {
  const keys = new IssuerKeys({
    http: new IdentityHttp({ timeoutMs: config.timeoutMs, caFile: config.caFile, now }),
    issuer: config.issuer,
    allowHttp: config.allowHttp,
    freshMs: config.keysSeconds * 1000,
    staleMs: config.staleKeysSeconds * 1000,
    cooldownMs: config.unknownKeySeconds * 1000,
    now,
  });

  async function payloadOf(token: string): Promise<JWTPayload & { exp: number }> {
    assertWorthAsking(token, config);
    const verify = (set: LocalJWKSet) =>
      jwtVerify(token, set, {
        algorithms: [...config.algorithms],
        issuer: config.issuer,
        audience: [...config.audiences],
        clockTolerance: config.leewaySeconds,
        requiredClaims: ['exp'],
        currentDate: new Date(now()),
      });
    try {
      const { payload } = await keys.using(verify);
      return payload as JWTPayload & { exp: number };
    } catch (error) {
      if (isPlatformError(error)) throw error;
      throw unauthorized(faultOf(error), error);
    }
  }

  return {
    async verify(token) {
      const payload = await payloadOf(token);
      const account = accountOf(payload, config);
      return { account, isAdmin: account.isAdmin, expiresAt: payload.exp * 1000 };
    },
    check: () => keys.check(),
  };
}

/** What can be refused by looking is refused before the issuer is asked for keys. Nothing is believed by this. */
function assertWorthAsking(token: string, { algorithms, issuer }: OidcConfig): void {
  let header: ReturnType<typeof decodeProtectedHeader>;
  let payload: JWTPayload;
  try {
    [header, payload] = [decodeProtectedHeader(token), decodeJwt(token)];
  } catch (error) {
    throw unauthorized('it is not valid', error);
  }
  if (!(algorithms as readonly unknown[]).includes(header.alg)) throw unauthorized('it is not signed in an allowed way');
  const type = typeof header.typ === 'string' ? header.typ.toLowerCase() : header.typ;
  if (!TOKEN_TYPES.includes(type)) throw unauthorized('it is a token for another purpose');
  if (payload.iss !== issuer) throw unauthorized('it is from another issuer');
}

function faultOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') return 'it is for another service';
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf') return 'it does not hold yet';
  return 'it is not valid';
}

function accountOf(payload: JWTPayload, { claims, adminGroups }: OidcConfig): AccountInfo {
  const id = textOf(claimAt(payload, claims.id));
  const username = textOf(claimAt(payload, claims.username));
  if (id === undefined) throw unauthorized(`it does not say whose it is (claim ${claims.id})`);
  if (username === undefined) throw unauthorized(`it does not name the user (claim ${claims.username})`);
  const groups = listOf(claimAt(payload, claims.groups));
  const sshKey = claims.sshKey === undefined ? undefined : textOf(listOf(claimAt(payload, claims.sshKey), '\n')[0]);
  return { id, username, isAdmin: groups.some((group) => adminGroups.includes(group)), ...(sshKey === undefined ? {} : { sshKey }) };
}

/** A claim by its name, which may be an address with dots, or else by its path: `realm_access.roles`. */
function claimAt(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A list of texts; one text is split at spaces, as `scope` is. */
function listOf(value: unknown, separator = ' '): readonly string[] {
  if (typeof value === 'string') return value.split(separator).filter((part) => part !== '');
  return Array.isArray(value) ? value.filter((part): part is string => typeof part === 'string') : [];
}
