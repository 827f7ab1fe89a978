import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { webspaceNameFor } from '#libs/domain/names.js';
import { type OidcDouble, startOidcDouble } from '#libs/testing/oidc-double/issuer.js';
import { type ApiBeside, type IamLab, startApiBeside, startIamLab } from '../support/api-beside.js';
import { openSession, report, type Session } from '../support/lab-session.js';
import { type LxdProxy, startLxdProxy } from '../support/lxd-proxy.js';
import type { Member } from '../support/members.js';

const ADMIN = { id: 1900, username: 'warden', is_admin: true };

let session: Session;
let proxy: LxdProxy;
let lab: IamLab;
let alice: Member;
let bob: Member;
const reads: string[] = [];

beforeAll(async () => {
  session = await openSession();
  alice = session.members.one(0);
  bob = session.members.one(1);
  proxy = await startLxdProxy(session.lab.lxdSocket);
  proxy.broken = (path) => {
    reads.push(path);
    return false;
  };
  lab = await startIamLab(
    session.lab,
    [alice, bob, ADMIN].map(({ id, username, ...more }) => ({ ...more, id, username })),
    { lxd: { socket: proxy.socket } },
  );
  await session.members.running(alice);
}, 240_000);

afterEach(() => {
  lab.iam.mode = 'normal';
  lab.iam.delayMs = 0;
});

afterAll(async () => {
  await lab?.close();
  await proxy?.close();
  await session?.close();
}, 120_000);

describe('row 2: a token that is missing or not good', () => {
  const tokens: readonly (readonly [string, () => Promise<string | undefined>])[] = [
    ['no token', async () => undefined],
    ['garbage', async () => 'garbage'],
    ['an expired token', () => lab.iam.issue(alice.username, { ttlSeconds: -5 })],
    ['a token signed by somebody else', () => lab.iam.issue(alice.username, { key: 'the key of somebody else, 32 bytes' })],
    [
      'a token from before a log-out everywhere',
      async () => {
        const token = await lab.iam.issue(alice.username);
        const { version = 0 } = lab.iam.users.get(alice.username) ?? {};
        lab.iam.change(alice.username, { version: version + 1 });
        return token;
      },
    ],
  ];

  it.each(tokens)('%s is answered 401 on every kind of request, and LXD is not asked', async (_case, tokenOf) => {
    const token = await tokenOf();
    reads.length = 0;
    for (const [method, path, body] of [
      ['GET', '/v1/webspace/self'],
      ['GET', `/v1/webspace/${alice.username}/state`],
      ['POST', '/v1/webspace/self', { image: 'hello' }],
      ['DELETE', '/v1/webspace/self/state'],
      ['GET', '/v2/webspaces'],
      ['POST', `/v2/webspaces/${alice.webspace}/shutdown`],
    ] as const) {
      const answer = await lab.api.ask(token, method, path, body);
      expect([method, path, answer.status]).toEqual([method, path, 401]);
    }
    // The API itself asks LXD whether it is there.
    expect(reads.filter((path) => path !== '/1.0')).toEqual([]);
  });

  it('an identity service that is away is 503 with a time to try again, and the site does not notice', async () => {
    const token = await lab.iam.issue(alice.username);
    let back = 0;
    for (const mode of ['failing', 'refusing', 'hanging'] as const) {
      lab.iam.mode = mode;
      const begun = Date.now();
      const answer = await lab.api.ask(token, 'GET', '/v1/webspace/self');
      expect([mode, answer.status]).toEqual([mode, 503]);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(Date.now() - begun).toBeLessThan(3_000);
      await session.members.served(alice);
      lab.iam.mode = 'normal';
      back = Date.now();
      const well = async () => (await lab.api.ask(token, 'GET', '/v1/webspace/self')).status === 200;
      await waitFor('the API to let alice in again', well, { timeoutMs: 10_000, intervalMs: 50 });
    }
    report('first answer after the identity service is back', `${Date.now() - back} ms`);
  }, 30_000);

  it('a slow identity service slows a request down, and does not fail it', async () => {
    lab.iam.delayMs = 300;
    expect((await lab.api.ask(await lab.iam.issue(alice.username), 'GET', '/v1/webspace/self')).status).toBe(200);
  });
});

describe('row 3: one account and another', () => {
  const statusOf = async (as: string, user: string, method = 'GET', path = '') =>
    (await lab.api.ask(await lab.iam.issue(as), method, `/v1/webspace/${user}${path}`, method === 'POST' ? { image: 'hello' } : undefined))
      .status;

  it('a member reaches the own webspace as "self" and by the user name', async () => {
    expect(await statusOf(alice.username, 'self')).toBe(200);
    expect(await statusOf(alice.username, alice.username)).toBe(200);
  });

  it('a member is refused everybody else by 403, whether they exist or not, and by id even the own one', async () => {
    for (const user of [alice.username, 'nobody', `id:${alice.id}`, `id:${bob.id}`, 'id:999999'])
      expect([user, await statusOf(bob.username, user)]).toEqual([user, 403]);
    expect(await statusOf(bob.username, alice.username, 'DELETE')).toBe(403);
    await session.members.served(alice);
  });

  it('an admin reaches anybody by name and by id, and is told who does not exist', async () => {
    for (const user of [alice.username, `id:${alice.id}`]) {
      expect(await statusOf(ADMIN.username, user)).toBe(200);
      expect(await statusOf(ADMIN.username, user, 'GET', '/state')).toBe(200);
    }
    expect(await statusOf(ADMIN.username, 'nobody')).toBe(404);
    expect(await statusOf(ADMIN.username, 'id:999999')).toBe(404);
    expect(await statusOf(ADMIN.username, `id:${bob.id}`)).toBe(404); // there is no webspace
    expect(await statusOf(ADMIN.username, 'self')).toBe(404);
  });

  it('an admin makes and removes the webspace of another account', async () => {
    expect(await statusOf(ADMIN.username, `id:${bob.id}`, 'POST')).toBe(201);
    expect((await session.members.record(bob)).owner).toEqual({ id: String(bob.id), username: bob.username });
    expect(await statusOf(ADMIN.username, bob.username, 'DELETE')).toBe(204);
  });

  it('an admin who is one no more is a member from the next request on', async () => {
    const token = await lab.iam.issue(ADMIN.username);
    lab.iam.change(ADMIN.username, { is_admin: false });
    expect((await lab.api.ask(token, 'GET', `/v1/webspace/${alice.username}`)).status).toBe(403);
    lab.iam.change(ADMIN.username, { is_admin: true });
    expect((await lab.api.ask(token, 'GET', `/v1/webspace/${alice.username}`)).status).toBe(200);
  });
});

describe('an OpenID Connect issuer', () => {
  const subject = 'auth0|5f7c8ec7c33c6c004bbafe82';
  const name = webspaceNameFor('ws-', subject);
  let issuer: OidcDouble;
  let api: ApiBeside;
  const carol = () => issuer.issue({ sub: subject, preferred_username: 'carol' });
  const admin = () => issuer.issue({ sub: 'someone-else', preferred_username: 'warden', groups: ['wardens'] });

  beforeAll(async () => {
    await lab.api.close();
    issuer = await startOidcDouble();
    const oidc = { issuer: issuer.issuer, audiences: [issuer.audience], adminGroups: ['wardens'], allowHttp: true, unknownKeySeconds: 1 };
    api = await startApiBeside(session.lab, { identity: { adapter: 'oidc', cacheSeconds: 0, refusedSeconds: 0, oidc } });
  }, 60_000);

  afterAll(async () => {
    await api?.close();
    await issuer?.close();
  });

  it('row 3: its members have webspaces of their own, which an admin names by user name or subject', async () => {
    expect((await api.ask(await carol(), 'POST', '/v1/webspace/self', { image: 'hello' })).status).toBe(201);
    const { user } = (await api.ask(await carol(), 'GET', '/v1/webspace/carol')).json<{ user: number }>();
    expect(user).toBeLessThan(0);
    expect((await api.ask(await carol(), 'GET', `/v2/webspaces/${name}`)).json()).toMatchObject({
      owner: { id: subject, username: 'carol' },
    });
    expect((await api.ask(await carol(), 'POST', '/v1/webspace/self/state')).status).toBe(204);
    const page = async () => (await session.lab.visit('carol')).body.includes(name);
    await waitFor("carol's page", page, { timeoutMs: 20_000, intervalMs: 100 });
    for (const who of ['carol', `id:${encodeURIComponent(subject)}`]) {
      expect([who, (await api.ask(await admin(), 'GET', `/v1/webspace/${who}`)).status]).toEqual([who, 200]);
      expect([
        who,
        (await api.ask(await issuer.issue({ sub: 'x', preferred_username: 'x' }), 'GET', `/v1/webspace/${who}`)).status,
      ]).toEqual([who, 403]);
    }
    expect((await api.ask(await admin(), 'GET', '/v1/webspace/nobody')).status).toBe(404);
  }, 60_000);

  it('row 2: its tokens are refused when they are for another service, ended, or signed by a key it shows no more', async () => {
    const before = await carol();
    expect((await api.ask(before, 'GET', '/v1/webspace/self')).status).toBe(200);
    const other = await issuer.issue({ sub: subject, preferred_username: 'carol', aud: 'shop' });
    expect((await api.ask(other, 'GET', '/v1/webspace/self')).status).toBe(401);
    const ended = await issuer.issue({ sub: subject, preferred_username: 'carol' }, { ttlSeconds: -60 });
    expect((await api.ask(ended, 'GET', '/v1/webspace/self')).status).toBe(401);
    await issuer.rotate();
    const fresh = await carol();
    const accepted = async () => (await api.ask(fresh, 'GET', '/v1/webspace/self')).status === 200;
    await waitFor('the new key to be known', accepted, { timeoutMs: 5_000, intervalMs: 100 });
    expect((await api.ask(before, 'GET', '/v1/webspace/self')).status).toBe(401);
  });

  it('an issuer that is away lets those in whose keys are known', async () => {
    issuer.mode = 'failing';
    expect((await api.ask(await carol(), 'GET', '/v1/webspace/self')).status).toBe(200);
    issuer.mode = 'normal';
    expect((await api.ask(await carol(), 'DELETE', '/v1/webspace/self')).status).toBe(204);
  }, 30_000);
});
