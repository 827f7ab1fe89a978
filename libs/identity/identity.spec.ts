import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type IamDoubleUser, startIamDouble } from '#libs/testing/iam-double/server.js';
import { createIdentityFrom } from './create-identity.js';
import { createIamAdapter } from './iam.js';
import { ALICE, type ContractUser, identityContract } from './identity.contract.js';
import { createLocalAdapter, issueLocalToken, readLocalKey } from './local.js';
import { TokenCache } from './token-cache.js';

const LOCAL_KEY = 'the key of this test, of 32 bytes or more';

identityContract('local', { revokes: true, directory: true }, async (initial, cacheMs) => {
  const folder = mkdtempSync(join(tmpdir(), 'identity-'));
  const [keyFile, usersFile] = [join(folder, 'key'), join(folder, 'users.json')];
  let users = initial;
  const setUsers = (next: readonly ContractUser[]) => {
    users = next;
    writeFileSync(usersFile, JSON.stringify({ users: next.map(({ admin, ...user }) => ({ ...user, isAdmin: admin })) }));
  };
  writeFileSync(keyFile, LOCAL_KEY);
  setUsers(initial);
  return {
    identity: createIdentityFrom(createLocalAdapter({ keyFile, usersFile }), { cacheMs }),
    issue: async (username, { ttlSeconds = 3600, key } = {}) => {
      const user = users.find((candidate) => candidate.username === username) as ContractUser;
      const signingKey = key === undefined ? readLocalKey(keyFile) : new Uint8Array(Buffer.from(key));
      return await issueLocalToken(signingKey, { id: String(user.id), isAdmin: user.admin, version: user.version }, { ttlSeconds });
    },
    setUsers,
    close: async () => rmSync(folder, { recursive: true }),
  };
});

const iamUser = ({ admin, sshKey, ...user }: ContractUser): IamDoubleUser => ({
  ...user,
  is_admin: admin,
  ...(sshKey ? { ssh_key: sshKey } : {}),
});
const ROOT: ContractUser = { id: 1, username: 'root', admin: true, version: 0 };

async function startIam(users: readonly ContractUser[], cacheMs: number, timeoutMs = 2000) {
  const double = await startIamDouble(users.map(iamUser));
  const own = await double.issue('root');
  const identity = createIdentityFrom(createIamAdapter({ url: double.url, token: () => own, timeoutMs }), { cacheMs });
  return {
    double,
    identity,
    issue: double.issue,
    setUsers: (next: readonly ContractUser[]) => {
      double.users.clear();
      for (const user of next) double.users.set(user.username, iamUser(user));
    },
    close: double.close,
  };
}

identityContract('iam', { revokes: true, directory: true }, startIam);

describe('the iam identity when the service is away', () => {
  test.each(['failing', 'hanging'] as const)('answers UNAVAILABLE when it is %s, within its time-out', async (mode) => {
    const { double, identity } = await startIam([ALICE, ROOT], 0, 200);
    const token = await double.issue('alice');
    double.mode = mode;
    const began = Date.now();
    await expect(identity.authenticate(token)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(Date.now() - began).toBeLessThan(1500);
    await expect(identity.check()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await double.close();
    await expect(identity.authenticate(token)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('goes on believing a token that was verified just before', async () => {
    const { double, identity } = await startIam([ALICE, ROOT], 60_000);
    const token = await double.issue('alice');
    await identity.authenticate(token);
    await double.close();
    await expect(identity.authenticate(token)).resolves.toMatchObject({ username: 'alice' });
  });

  test("says that the platform's own token is refused", async () => {
    const { double, identity } = await startIam([ALICE, ROOT], 0);
    double.users.set('root', { ...iamUser(ROOT), version: 7 });
    await expect(identity.check()).rejects.toMatchObject({ code: 'DENIED_UPSTREAM' });
    await expect(identity.directory?.byId('12')).rejects.toMatchObject({ code: 'DENIED_UPSTREAM' });
    await double.close();
  });

  test('asks once for equal tokens that come together', async () => {
    const { double, identity } = await startIam([ALICE, ROOT], 1000);
    const token = await double.issue('alice');
    await Promise.all(Array.from({ length: 20 }, () => identity.authenticate(token)));
    expect(double.requests).toHaveLength(2);
    await double.close();
  });
});

describe('the users file', () => {
  test('keeps its users when a change cannot be read, and says so', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'identity-'));
    const [keyFile, usersFile] = [join(folder, 'key'), join(folder, 'users.json')];
    writeFileSync(keyFile, LOCAL_KEY);
    writeFileSync(usersFile, JSON.stringify({ users: [{ id: 12, username: 'alice' }] }));
    const adapter = createLocalAdapter({ keyFile, usersFile });
    writeFileSync(usersFile, '{ "users": [');
    expect(await adapter.directory?.byId('12')).toMatchObject({ username: 'alice' });
    await expect(adapter.check()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    rmSync(folder, { recursive: true });
  });

  test('refuses to start with a short key or two users of one name', () => {
    const folder = mkdtempSync(join(tmpdir(), 'identity-'));
    const [keyFile, usersFile] = [join(folder, 'key'), join(folder, 'users.json')];
    writeFileSync(keyFile, 'short');
    writeFileSync(
      usersFile,
      JSON.stringify({
        users: [
          { id: 1, username: 'a' },
          { id: 2, username: 'a' },
        ],
      }),
    );
    expect(() => createLocalAdapter({ keyFile, usersFile })).toThrow(/shorter than 32 bytes/);
    writeFileSync(keyFile, LOCAL_KEY);
    expect(() => createLocalAdapter({ keyFile, usersFile })).toThrow(/must be unique/);
    rmSync(folder, { recursive: true });
  });
});

test('the token cache forgets the least recently used first', async () => {
  const cache = new TokenCache<{ expiresAt: number; token: string }>({ ttlMs: 1000, maxEntries: 2, now: () => 0 });
  const verified: string[] = [];
  const verify = async (token: string) => {
    verified.push(token);
    return { expiresAt: 10_000, token };
  };
  for (const token of ['a', 'b', 'a', 'c', 'a', 'b']) await cache.get(token, verify);
  expect(verified).toEqual(['a', 'b', 'c', 'b']);
});
