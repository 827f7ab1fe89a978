import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type HttpAnswer, http } from '#lab/http.js';
import { openSession, report, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';

interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly message: string;
}

let session: Session;
let before: readonly string[];
beforeAll(async () => {
  session = await openSession();
  before = await session.members.audit();
}, 180_000);
afterAll(() => session?.close(), 120_000);

/** As a request arrives on the wire, whatever it says. */
function raw(member: Member, body: string, headers: Record<string, string> = {}): Promise<HttpAnswer> {
  const { lab } = session;
  const authorization = `Bearer ${lab.tokenFor({ id: member.id })}`;
  return http(`${lab.profile.urls.api}/v1/webspace/self`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization, ...headers },
    body: Buffer.from(body),
    timeoutMs: 30_000,
  });
}

async function nothingIsLeft(): Promise<void> {
  expect(await session.members.audit()).toEqual(before);
}

describe('creations at the same time', () => {
  it('give one user one webspace: one 201, one 409', async () => {
    const { members } = session;
    const member = members.one(0);
    const answers = await Promise.all([1, 2].map(() => members.ask(member, 'POST', '', { image: 'hello' })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect(answers.find(({ status }) => status === 409)?.json<Problem>().message).toBe('already exists');
    expect((await members.audit()).filter((what) => what === `instance/${member.webspace}`)).toHaveLength(1);
    await members.delete(member);
    await nothingIsLeft();
  }, 60_000);

  it('give 20 users 20 webspaces, each with an address of its own', async () => {
    const { members } = session;
    const twenty = members.some(20);
    const begun = Date.now();
    await Promise.all(twenty.map((member) => members.create(member)));
    report('20 creations at once', `${Date.now() - begun} ms in all`);
    const records = await Promise.all(twenty.map((member) => members.record(member)));
    expect(new Set(records.map(({ network }) => network.address)).size).toBe(20);
    const begunDelete = Date.now();
    await Promise.all(twenty.map((member) => members.delete(member)));
    report('20 deletions at once', `${Date.now() - begunDelete} ms in all`);
    await nothingIsLeft();
  }, 120_000);
});

describe('a creation that cannot be is refused, and leaves nothing', () => {
  it('404 for an image that is not there', async () => {
    const { members } = session;
    const answer = await members.expect(404, members.one(0), 'POST', '', { image: 'no-such-image' });
    expect(answer.json<Problem>()).toMatchObject({ code: 'NOT_FOUND' });
    expect(answer.json<Problem>().detail).toContain('no-such-image');
    await nothingIsLeft();
  }, 30_000);

  it.each([
    ['a body that is not JSON', '{"image": "hello"', 'body'],
    ['an empty body', '', 'body'],
    ['an empty object', '{}', 'image'],
    ['an unknown field', '{"image": "hello", "colour": "red"}', 'colour'],
    ['a field of the wrong type', '{"image": 7}', 'image'],
    ['a list instead of an object', '["hello"]', 'body'],
    ['an image name with a space', '{"image": "hel lo"}', 'image'],
  ])('400 naming the field for %s', async (_what, body, field) => {
    const answer = await raw(session.members.one(0), body);
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.body).toContain(field);
    await nothingIsLeft();
  });

  it("403 for another user's webspace", async () => {
    const { lab, members } = session;
    const path = `/v1/webspace/${members.one(1).username}`;
    for (const [method, body] of [['POST', { image: 'hello' }], ['DELETE'], ['GET']] as const) {
      const answer = await lab.api({ id: members.one(0).id }, method, path, body);
      expect([method, answer.status]).toEqual([method, 403]);
    }
    await nothingIsLeft();
  });

  it('401 without a token, with one that is not signed by us, with an old one, and with one of nobody', async () => {
    const { lab, members } = session;
    const member = members.one(0);
    const tokens = [
      '',
      'Bearer nonsense',
      `Bearer ${lab.tokenFor({ id: member.id }).slice(0, -4)}AAAA`,
      `Bearer ${lab.tokenFor({ id: member.id }, { ttlSeconds: -60 })}`,
      `Bearer ${lab.tokenFor({ id: 999_999 })}`,
      `Bearer ${lab.tokenFor({ id: member.id }, { version: 7 })}`,
    ];
    for (const authorization of tokens) {
      const answer = await raw(member, '{"image": "hello"}', { authorization });
      expect([authorization.slice(0, 20), answer.status]).toEqual([authorization.slice(0, 20), 401]);
    }
    await nothingIsLeft();
  });
});

describe('while a system is away', () => {
  it('LXD: 503 with Retry-After, within seconds, and nothing is left', async () => {
    const { lab, members } = session;
    const member = members.one(0);
    await lab.process('lxd').kill('SIGKILL');
    const answers = await Promise.all([
      members.ask(member, 'POST', '', { image: 'hello' }),
      members.ask(member, 'GET'),
      members.ask(member, 'DELETE'),
      members.ask(member, 'POST', '/state'),
    ]).finally(() => lab.process('lxd').start());
    for (const answer of answers) expectAway(answer);
    await session.sweeps.run();
    await nothingIsLeft();
  }, 60_000);

  it('Temporal: 503 with Retry-After for changes, reads go on, sites are served, and nothing is left', async () => {
    const { lab, members } = session;
    const [visited, newcomer] = [members.one(1), members.one(2)];
    await members.running(visited);
    const withVisited = await members.audit();
    await lab.process('temporal').kill('SIGKILL');
    try {
      const begun = Date.now();
      expectAway(await members.ask(newcomer, 'POST', '', { image: 'hello' }));
      report('answer while Temporal is away', `503 after ${Date.now() - begun} ms`);
      expectAway(await members.ask(visited, 'DELETE'));
      expectAway(await members.ask(visited, 'DELETE', '/state'));
      await members.expect(200, visited, 'GET');
      await members.served(visited);
    } finally {
      await lab.process('temporal').start();
    }
    expect(await members.audit()).toEqual(withVisited);
    await lab.up();
    await members.delete(visited);
    await nothingIsLeft();
  }, 120_000);
});

function expectAway(answer: HttpAnswer): void {
  expect([answer.status, answer.body]).toEqual([503, expect.any(String)]);
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  expect(answer.json<Problem>().code).toBe('UNAVAILABLE');
}
