import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { importJWK, SignJWT } from 'jose';
import { identitySchema, type OidcConfig } from '#libs/config/identity.js';
import { makeCertificate } from '#libs/testing/certificates.js';
import { type OidcDouble, startOidcDouble } from '#libs/testing/oidc-double/issuer.js';
import { createIdentityFrom } from './create-identity.js';
import { type ContractUser, identityContract } from './identity.contract.js';
import { createOidcAdapter } from './oidc.js';

const ADMINS = 'webspace-admins';
const CLAIMS = { sub: 'auth0|5f7c8ec7c33c6c004bbafe82', preferred_username: 'carol', groups: ['members'] };

function configFor(double: OidcDouble, changes: Readonly<Record<string, unknown>> = {}): OidcConfig {
  const oidc = {
    issuer: double.issuer,
    audiences: [double.audience],
    adminGroups: [ADMINS],
    leewaySeconds: 1,
    allowHttp: double.issuer.startsWith('http:'),
    timeoutMs: 1000,
    ...changes,
  };
  const config = identitySchema.parse({ adapter: 'oidc', oidc });
  if (config.adapter !== 'oidc') throw new Error('another adapter');
  return config.oidc;
}

function claimsOf({ id, username, admin, sshKey }: ContractUser) {
  return { sub: String(id), preferred_username: username, groups: admin ? ['members', ADMINS] : ['members'], ssh_key: sshKey };
}

identityContract('oidc', { revokes: false, directory: false }, async (initial, cacheMs) => {
  const double = await startOidcDouble();
  const other = await startOidcDouble();
  let users = initial;
  const find = (is: (user: ContractUser) => boolean) => {
    const user = users.find(is);
    return user && { id: String(user.id), username: user.username, isAdmin: user.admin };
  };
  const known = {
    byId: async (id: string) => find((user) => String(user.id) === id),
    byName: async (name: string) => find((user) => user.username === name),
  };
  return {
    identity: createIdentityFrom(createOidcAdapter(configFor(double, { claims: { sshKey: 'ssh_key' } })), { cacheMs, known }),
    issue: async (username, { ttlSeconds, key } = {}) => {
      const user = initial.find((candidate) => candidate.username === username) as ContractUser;
      const options = ttlSeconds === undefined ? {} : { ttlSeconds };
      return await (key === undefined ? double : other).issue({ ...claimsOf(user), iss: double.issuer }, options);
    },
    setUsers: (next) => {
      users = next;
    },
    close: async () => {
      await Promise.all([double.close(), other.close()]);
    },
  };
});

describe('the oidc identity', () => {
  let double: OidcDouble;
  let now: number;
  beforeEach(async () => {
    double = await startOidcDouble();
    now = Date.now();
  });
  afterEach(() => double.close());
  const adapterWith = (changes: Readonly<Record<string, unknown>> = {}) => createOidcAdapter(configFor(double, changes), () => now);
  const refusal = (token: string, adapter = adapterWith()) =>
    adapter.verify(token).then(
      () => 'accepted',
      (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
    );

  test('takes id, name, groups and key from the claims that the configuration names', async () => {
    const claims = { id: 'uid', username: 'https://example.org/login', groups: 'realm_access.roles', sshKey: 'keys' };
    const adapter = adapterWith({ claims });
    const token = await double.issue({
      uid: 4711,
      'https://example.org/login': 'dora',
      realm_access: { roles: ['x', ADMINS] },
      keys: ['ssh-ed25519 AAAA dora'],
    });
    await expect(adapter.verify(token)).resolves.toMatchObject({
      account: { id: '4711', username: 'dora', isAdmin: true, sshKey: 'ssh-ed25519 AAAA dora' },
      isAdmin: true,
    });
  });

  test.each([
    ['a list without the group', ['members'], false],
    ['a list with it', [ADMINS], true],
    ['a text of several', `members ${ADMINS}`, true],
    ['a text that only begins like it', `${ADMINS}-too`, false],
    ['no claim', undefined, false],
    ['a claim of another form', { [ADMINS]: true }, false],
  ])('by groups given as %s somebody is an admin or not', async (_case, groups, isAdmin) => {
    await expect(adapterWith().verify(await double.issue({ ...CLAIMS, groups }))).resolves.toMatchObject({ isAdmin });
  });

  test('makes nobody an admin when no group is named', async () => {
    await expect(adapterWith({ adminGroups: [] }).verify(await double.issue({ ...CLAIMS, groups: [''] }))).resolves.toMatchObject({
      isAdmin: false,
    });
  });

  test.each([
    ['for another service', { aud: 'shop' }, 'for another service'],
    ['without an audience', { aud: undefined }, 'for another service'],
    ['of another issuer', { iss: 'https://elsewhere.example.org' }, 'from another issuer'],
    ['without an end', { exp: undefined }, 'not valid'],
    ['that holds only later', { nbf: Math.floor(Date.now() / 1000) + 60 }, 'does not hold yet'],
    ['without a subject', { sub: undefined }, 'whose it is (claim sub)'],
    ['without a user name', { preferred_username: undefined }, 'name the user (claim preferred_username)'],
    ['whose user name is empty', { preferred_username: '' }, 'name the user (claim preferred_username)'],
  ])('refuses a token %s and says why', async (_case, claims, reason) => {
    const answer = await refusal(await double.issue({ ...CLAIMS, ...claims }));
    expect(answer).toMatch(/^UNAUTHORIZED: /);
    expect(answer).toContain(reason);
  });

  test('forgives a clock that is off by less than the leeway, and no more', async () => {
    const early = await double.issue({ ...CLAIMS, nbf: Math.floor(now / 1000) + 20 });
    expect(await refusal(early, adapterWith({ leewaySeconds: 30 }))).toBe('accepted');
    expect(await refusal(early, adapterWith({ leewaySeconds: 10 }))).toContain('does not hold yet');
    const late = await double.issue(CLAIMS, { ttlSeconds: -20 });
    expect(await refusal(late, adapterWith({ leewaySeconds: 30 }))).toBe('accepted');
    expect(await refusal(late, adapterWith({ leewaySeconds: 10 }))).toContain('has expired');
  });

  test('refuses a token signed with the public key as if it were a secret, unasked', async () => {
    const secret = Buffer.from(JSON.stringify(double.publicKey()));
    const forged = await new SignJWT({ ...CLAIMS, iss: double.issuer, aud: double.audience, exp: Math.floor(now / 1000) + 60 })
      .setProtectedHeader({ alg: 'HS256', kid: double.keyId })
      .sign(secret);
    expect(await refusal(forged)).toContain('not signed in an allowed way');
    expect(double.requests).toHaveLength(0);
  });

  test('takes no symmetric key, even if the issuer should show one', async () => {
    const jwk = { kty: 'oct', k: Buffer.alloc(32, 7).toString('base64url'), kid: 'shared', alg: 'HS256' };
    double.extraKeys.push(jwk);
    const forged = await new SignJWT({ ...CLAIMS, iss: double.issuer, aud: double.audience, exp: Math.floor(now / 1000) + 60 })
      .setProtectedHeader({ alg: 'HS256', kid: 'shared' })
      .sign(await importJWK(jwk, 'HS256'));
    expect(await refusal(forged)).toMatch(/^UNAUTHORIZED/);
  });

  test('refuses an algorithm that is not in its list, and takes those that are', async () => {
    await double.rotate('ES384');
    const token = await double.issue(CLAIMS);
    expect(await refusal(token)).toContain('not signed in an allowed way');
    expect(await refusal(token, adapterWith({ algorithms: ['ES384'] }))).toBe('accepted');
  });

  test('refuses a token of the issuer that is for another purpose', async () => {
    expect(await refusal(await double.issue(CLAIMS, { header: { typ: 'logout+jwt' } }))).toContain('another purpose');
    expect(await refusal(await double.issue(CLAIMS, { header: { typ: 'at+jwt' } }))).toBe('accepted');
  });

  test('follows a rotation of keys at once, and asks no more often than it may', async () => {
    const adapter = adapterWith({ unknownKeySeconds: 10 });
    await adapter.verify(await double.issue(CLAIMS));
    expect(double.requests).toEqual(['/.well-known/openid-configuration', '/keys']);
    await double.rotate();
    const fresh = await double.issue(CLAIMS);
    expect(await refusal(fresh, adapter)).toMatch(/^UNAUTHORIZED/); // the keys were read just now
    expect(double.requests).toHaveLength(2);
    now += 11_000;
    await Promise.all(Array.from({ length: 20 }, () => adapter.verify(fresh)));
    expect(double.requests).toHaveLength(4);
    for (let i = 0; i < 20; i++) await refusal(await double.issue(CLAIMS, { header: { kid: `unknown-${i}` } }), adapter);
    expect(double.requests).toHaveLength(4);
  });

  test('lets a key go that the issuer shows no more', async () => {
    const adapter = adapterWith({ keysSeconds: 60 });
    const old = await double.issue(CLAIMS);
    await adapter.verify(old);
    await double.rotate();
    now += 61_000;
    expect(await refusal(old, adapter)).toMatch(/^UNAUTHORIZED/);
  });

  test.each(['failing', 'hanging'] as const)('that is %s is 503 with a time to try again, never 401', async (mode) => {
    const adapter = adapterWith({ timeoutMs: 200 });
    const token = await double.issue(CLAIMS);
    double.mode = mode;
    await expect(adapter.verify(token)).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { retryAfterMs: expect.any(Number) } });
    await expect(adapter.check()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    double.mode = 'normal';
    now += 5_001;
    await expect(adapter.verify(token)).resolves.toMatchObject({ account: { username: 'carol' } });
    await expect(adapter.check()).resolves.toBeUndefined();
  });

  test('is asked again only after a pause that grows to five seconds while it is away', async () => {
    const adapter = adapterWith();
    const token = await double.issue(CLAIMS);
    double.mode = 'failing';
    for (let ms = 0; ms < 60_000; ms += 50) {
      now += 50;
      expect(await refusal(token, adapter)).toMatch(/^UNAVAILABLE/);
    }
    // After 0, 0.25, 0.75, 1.75, 3.75, 7.75 and then every 5 seconds.
    expect(double.requests.length).toBeGreaterThan(12);
    expect(double.requests.length).toBeLessThan(20);
  });

  test('lets known callers in by the keys it has while the issuer is away, for a limited time', async () => {
    const adapter = adapterWith({ keysSeconds: 60, staleKeysSeconds: 600 });
    const token = await double.issue(CLAIMS, { ttlSeconds: 7200 });
    await adapter.verify(token);
    double.mode = 'failing';
    now += 300_000;
    expect(await refusal(token, adapter)).toBe('accepted');
    now += 301_000;
    expect(await refusal(token, adapter)).toMatch(/^UNAVAILABLE/);
  });

  test('refuses an issuer that calls itself by another name', async () => {
    double.calledAs = 'https://login.example.org';
    expect(await refusal(await double.issue(CLAIMS))).toMatch(/^PROTOCOL: .*"https:\/\/login\.example\.org"/);
  });

  test('remembers a refused token for a moment, and that of an issuer that is away not at all', async () => {
    const identity = createIdentityFrom(adapterWith({ unknownKeySeconds: 1 }), { cacheMs: 0, refusedMs: 2000, now: () => now });
    const early = await double.issue({ ...CLAIMS, nbf: Math.floor(now / 1000) + 2 });
    await expect(identity.authenticate(early)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    now += 1500;
    await expect(identity.authenticate(early)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    now += 600;
    await expect(identity.authenticate(early)).resolves.toMatchObject({ username: 'carol' });
  });
});

describe('the oidc identity over HTTPS', () => {
  test('trusts the certificate it is told to, and no other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'oidc-'));
    const certificate = await makeCertificate(folder, 'issuer');
    const double = await startOidcDouble(certificate);
    const token = await double.issue(CLAIMS);
    await expect(createOidcAdapter(configFor(double)).verify(token)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const trusting = createOidcAdapter(configFor(double, { caFile: certificate.certFile }));
    await expect(trusting.verify(token)).resolves.toMatchObject({ account: { id: CLAIMS.sub } });
    await double.close();
    rmSync(folder, { recursive: true });
  });

  test('accepts a plain http issuer only when the configuration says so', () => {
    const oidc = { issuer: 'http://login.example.org', audiences: ['webspaces'] };
    expect(identitySchema.safeParse({ adapter: 'oidc', oidc }).error?.issues[0]?.path).toEqual(['oidc', 'issuer']);
    expect(identitySchema.safeParse({ adapter: 'oidc', oidc: { ...oidc, allowHttp: true } }).success).toBe(true);
  });

  test.each(['none', 'HS256'])('cannot be told to accept the algorithm %s', (algorithm) => {
    const oidc = { issuer: 'https://login.example.org', audiences: ['webspaces'], algorithms: [algorithm] };
    expect(identitySchema.safeParse({ adapter: 'oidc', oidc }).success).toBe(false);
  });
});
