import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DnsName } from '#lab/dns.js';
import type { HttpAnswer } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { proofFor } from '#libs/domain/proof.js';
import { Direct } from '../support/direct.js';
import { FULL, openSession, report, type Session, times } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { type ProxiedWorker, startProxiedWorker } from '../support/proxied-worker.js';

let session: Session;
let alice: Member;
let bob: Member;
beforeAll(async () => {
  session = await openSession();
  [alice, bob] = session.members.some(2) as [Member, Member];
  await session.members.running(alice);
  await session.members.create(bob);
}, 180_000);
beforeEach(() => session.lab.dns.clear());
afterEach(async () => {
  for (const member of [alice, bob]) {
    for (const domain of (await session.members.record(member)).domains) await ask(204, member, 'DELETE', domain);
  }
}, 30_000);
afterAll(() => session?.close(), 120_000);

const proof = (...members: readonly Member[]): DnsName => ({ txt: members.map(({ id }) => proofFor(String(id))) });
const ask = (status: number, member: Member, method: string, domain: string): Promise<HttpAnswer> =>
  session.members.expect(status, member, method, `/domains/${encodeURIComponent(domain)}`);
const listed = async (member: Member) => JSON.parse((await session.members.expect(200, member, 'GET', '/domains')).body) as string[];
const defaultHost = ({ username }: Member) => `${username}.${session.lab.profile.baseDomain}`;
const claimed = (domain: string) => session.cluster.has('domain', domain);
const holder = async (domain: string) =>
  ((await session.cluster.find('domain', domain))?.['spec'] as { webspace: string } | undefined)?.webspace;

describe('row 16: the default domain', () => {
  it('is the first of the list, made of the user name, and stays', async () => {
    expect(await listed(alice)).toEqual([defaultHost(alice)]);
    for (const written of [defaultHost(alice), `${defaultHost(alice).toUpperCase()}.`]) {
      const answer = await ask(400, alice, 'DELETE', written);
      expect(answer.json()).toMatchObject({ message: 'cannot remove the default domain', field: 'domain' });
    }
    expect(await session.cluster.hosts(alice.webspace)).toEqual([defaultHost(alice)]);
  });
});

describe('row 17: a custom domain with TXT proof', () => {
  it.each<[string, DnsName | undefined, RegExp, RegExp]>([
    ['NXDOMAIN', undefined, /^domain: DNS has no name/, /\(NXDOMAIN\)/],
    ['no TXT', { a: ['192.0.2.1'] }, /^domain: shop\.example\.org has no TXT record/, /make a TXT record of exactly "webspace:id:1001"/],
    ['the TXT of another uid', { txt: ['webspace:id:1002'] }, /^verification failed$/, /there is "webspace:id:1002"/],
    ['the TXT with more behind it', { txt: ['webspace:id:1001 '] }, /^verification failed$/, /there is "webspace:id:1001 "/],
    ['SERVFAIL', { fails: 'SERVFAIL' }, /^domain: DNS did not tell/, /\(SERVFAIL\)/],
    ['REFUSED', { fails: 'REFUSED' }, /^domain: DNS did not tell/, /\(REFUSED\)/],
    ['silence', { fails: 'silence' }, /^domain: DNS did not tell/, /\(time-out\)/],
  ])(
    'is refused with %s: 400, and says what to do',
    async (_what, name, message, detail) => {
      session.lab.dns.set({ 'shop.example.org': name });
      const answer = await ask(400, alice, 'POST', 'shop.example.org');
      expect(answer.json()).toMatchObject({
        code: 'INVALID_INPUT',
        field: 'domain',
        message: expect.stringMatching(message),
        detail: expect.stringMatching(detail),
      });
      expect(await claimed('shop.example.org')).toBe(false);
      expect(await listed(alice)).toEqual([defaultHost(alice)]);
    },
    30_000,
  );

  it('is added with the right record: claimed, in the record, in the rule, and served', async () => {
    const { lab, cluster, members } = session;
    lab.dns.set({ 'shop.example.org': proof(alice), 'blog.example.org': { txt: ['v=spf1 -all', ['webspace:', 'id:1001']] } });
    const answer = await ask(204, alice, 'POST', 'shop.example.org');
    expect(answer.body).toBe('');
    await ask(204, alice, 'POST', 'blog.example.org');
    const hosts = [defaultHost(alice), 'shop.example.org', 'blog.example.org'];
    expect(await listed(alice)).toEqual(hosts);
    expect(await cluster.hosts(alice.webspace)).toEqual(hosts);
    expect(await holder('shop.example.org')).toBe(alice.webspace);
    const webspace = await members.expect(200, alice, 'GET');
    expect(webspace.json()).toMatchObject({ domains: ['shop.example.org', 'blog.example.org'] });
    const page = () => lab.visit(alice.username, '/', { headers: { host: 'shop.example.org' } });
    await waitFor('the page under the custom name', async () => (await page()).body.includes(alice.webspace), { timeoutMs: 5_000 });
  }, 30_000);

  it.each([
    ['the base domain', 'ws.localhost'],
    ['another’s default domain', 'member1002.ws.localhost'],
    ['a public suffix', 'co.uk'],
    ['a wildcard', '*.example.org'],
    ['an address', '192.0.2.1'],
  ])('is refused before anybody is asked when it is %s', async (_what, domain) => {
    session.lab.dns.set({ [domain]: proof(alice) });
    expect((await ask(400, alice, 'POST', domain)).json()).toMatchObject({ field: 'domain' });
  });

  it('is one claim however it is written', async () => {
    session.lab.dns.set({ 'xn--bcher-kva.example.org': proof(alice, bob) });
    await ask(204, alice, 'POST', 'BÜCHER.example.org.');
    expect(await listed(alice)).toEqual([defaultHost(alice), 'xn--bcher-kva.example.org']);
    for (const written of ['bücher.example.org', 'XN--BCHER-KVA.example.org', 'bücher.example.org.']) {
      for (const member of [alice, bob]) {
        expect((await ask(409, member, 'POST', written)).json()).toMatchObject({ message: 'used by a webspace' });
      }
    }
    await ask(204, alice, 'DELETE', 'Bücher.Example.ORG');
    expect(await listed(alice)).toEqual([defaultHost(alice)]);
  }, 30_000);

  it('asked for by two webspaces at once goes to exactly one of them', async () => {
    const rounds = times({ short: 20, full: 1_000 });
    const wins = new Map([alice, bob].map(({ webspace }) => [webspace, 0]));
    const spellings = ['race.example.org', 'RACE.example.org', 'race.example.org.'];
    session.lab.dns.set({ 'race.example.org': proof(alice, bob) });
    for (let round = 0; round < rounds; round++) {
      const written = [spellings[round % 3] ?? '', spellings[(round + 1) % 3] ?? ''];
      const answers = await Promise.all([alice, bob].map((member, i) => session.members.ask(member, 'POST', `/domains/${written[i]}`)));
      expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
      const winner = answers[0]?.status === 204 ? alice : bob;
      const loser = winner === alice ? bob : alice;
      expect(await holder('race.example.org')).toBe(winner.webspace);
      expect([await listed(winner), await listed(loser)]).toEqual([[defaultHost(winner), 'race.example.org'], [defaultHost(loser)]]);
      wins.set(winner.webspace, (wins.get(winner.webspace) ?? 0) + 1);
      await ask(204, winner, 'DELETE', 'race.example.org');
      expect(await claimed('race.example.org')).toBe(false);
    }
    report('two webspaces asking for one domain at once', `${rounds} rounds, one winner each (${[...wins.values()].join(' to ')})`);
  }, 3_600_000);

  it('is limited in number, and what is removed in the same change makes place', async () => {
    const names = Array.from({ length: 33 }, (_, i) => `d${i}.example.org`);
    session.lab.dns.set(Object.fromEntries(names.map((name) => [name, proof(bob)])));
    const change = async (add: string[], remove: string[] = []) =>
      session.lab.api({ id: bob.id }, 'PATCH', `/v2/webspaces/${bob.webspace}`, { domains: { add, remove } });
    const begun = await change(names.slice(0, 32));
    expect(begun.status).toBe(202);
    await waitFor('32 domains', async () => (await listed(bob)).length === 33, { timeoutMs: 20_000 });
    await session.sweeps.quiet();
    expect((await ask(400, bob, 'POST', 'd32.example.org')).json()).toMatchObject({
      field: 'domain',
      message: expect.stringContaining('at most 32'),
    });
    expect((await change(['d32.example.org'], names.slice(0, 31))).status).toBe(202);
    const left = [defaultHost(bob), 'd31.example.org', 'd32.example.org'];
    await waitFor('what is left', async () => JSON.stringify(await listed(bob)) === JSON.stringify(left), { timeoutMs: 20_000 });
    await session.sweeps.quiet();
    expect(await claimed('d0.example.org')).toBe(false);
  }, 90_000);

  it('of a change that fails for one name is not added for the other either', async () => {
    session.lab.dns.set({ 'one.example.org': proof(bob), 'two.example.org': proof(alice, bob) });
    await ask(204, alice, 'POST', 'two.example.org');
    const body = { config: { httpPort: 8080 }, domains: { add: ['one.example.org', 'two.example.org'] } };
    const { id } = (await session.lab.api({ id: bob.id }, 'PATCH', `/v2/webspaces/${bob.webspace}`, body)).json<{ id: string }>();
    const operation = async () => (await session.lab.api({ id: bob.id }, 'GET', `/v2/operations/${id}`)).json<{ status: string }>();
    await waitFor('the change to fail', async () => (await operation()).status === 'failed', { timeoutMs: 20_000 });
    expect(await listed(bob)).toEqual([defaultHost(bob)]);
    expect((await session.members.record(bob)).http.port).toBe(80);
    expect([await claimed('one.example.org'), await holder('two.example.org')]).toEqual([false, alice.webspace]);
  }, 60_000);
});

describe('row 19: removing a domain', () => {
  it('takes it out of the record, the rule and the claims; an unknown one is 404', async () => {
    session.lab.dns.set({ 'shop.example.org': proof(alice, bob) });
    await ask(204, alice, 'POST', 'shop.example.org');
    const answer = await ask(204, alice, 'DELETE', 'shop.example.org');
    expect(answer.body).toBe('');
    expect(await listed(alice)).toEqual([defaultHost(alice)]);
    expect(await session.cluster.hosts(alice.webspace)).toEqual([defaultHost(alice)]);
    expect(await claimed('shop.example.org')).toBe(false);
    for (const unknown of ['shop.example.org', 'never.example.org', 'not a name']) {
      expect((await ask(404, alice, 'DELETE', unknown)).json()).toMatchObject({ message: 'not found' });
    }
    await ask(204, bob, 'POST', 'shop.example.org');
  }, 30_000);
});

describe('the proof of a domain, asked for again', () => {
  const unproved = async (domain: string) =>
    ((await session.cluster.find('domain', domain))?.['status'] as { unproved?: { since: string; reason: string } } | undefined)?.unproved;
  const condition = () => session.cluster.condition(alice.webspace, 'DomainsProved');
  const restart = (graceSeconds: number, everySeconds = 86_400) =>
    session.lab.process('worker').restart({
      env: {
        WEBSPACES__DOMAINS__GRACE_SECONDS: String(graceSeconds),
        WEBSPACES__DOMAINS__VERIFY_EVERY_SECONDS: String(everySeconds),
        WEBSPACES__DNS__TIMEOUT_MS: '200',
      },
    });
  afterAll(() => session.lab.process('worker').restart(), 60_000);

  it('is missed first on the claim and on the webspace, with the time of the release, and back again without a trace', async () => {
    await restart(3_600);
    const { lab, sweeps } = session;
    lab.dns.set({ 'shop.example.org': proof(alice) });
    await ask(204, alice, 'POST', 'shop.example.org');
    expect(await sweeps.verifyDomains()).toMatchObject({ proved: 1, refuted: 0, released: 0 });
    expect(await condition()).toBeUndefined();

    lab.dns.clear();
    expect(await sweeps.verifyDomains()).toMatchObject({ refuted: 1, released: 0 });
    const since = (await unproved('shop.example.org'))?.since;
    expect(since).toBeDefined();
    expect(await condition()).toMatchObject({
      status: 'False',
      reason: 'ProofMissing',
      message: expect.stringMatching(/^shop\.example\.org is released at .* unless it is proved: DNS has no name/),
    });

    for (const fails of ['SERVFAIL', 'silence'] as const) {
      lab.dns.set({ 'shop.example.org': { fails } });
      expect(await sweeps.verifyDomains()).toMatchObject({ refuted: 0, unanswered: 1, released: 0 });
      expect((await unproved('shop.example.org'))?.since).toBe(since);
    }

    lab.dns.set({ 'shop.example.org': proof(alice) });
    expect(await sweeps.verifyDomains()).toMatchObject({ proved: 1 });
    expect(await unproved('shop.example.org')).toBeUndefined();
    expect(await condition()).toMatchObject({ status: 'True', reason: 'Proved' });
  }, 90_000);

  it('begins its grace time anew after the loss of all Kubernetes objects', async () => {
    const { lab, cluster, members, sweeps } = session;
    lab.dns.set({ 'shop.example.org': proof(alice) });
    await ask(204, alice, 'POST', 'shop.example.org');
    lab.dns.clear();
    await sweeps.verifyDomains();
    const before = await unproved('shop.example.org');
    await cluster.removeEverything(alice.webspace);
    await members.expect(204, alice, 'PATCH', '/state');
    expect(await unproved('shop.example.org')).toBeUndefined();
    await sweeps.verifyDomains();
    const after = await unproved('shop.example.org');
    expect(Date.parse(after?.since ?? '')).toBeGreaterThan(Date.parse(before?.since ?? ''));
  }, 60_000);

  it('releases the domain after the grace time by itself, as an operation that its owner sees', async () => {
    const { lab, cluster } = session;
    lab.dns.set({ 'shop.example.org': proof(alice), 'kept.example.org': proof(alice) });
    await ask(204, alice, 'POST', 'shop.example.org');
    await ask(204, alice, 'POST', 'kept.example.org');
    await restart(1, 1);
    lab.dns.set({ 'shop.example.org': proof(bob) });
    await waitFor('the release', async () => (await listed(alice)).length === 2, { timeoutMs: 30_000 });
    expect(await listed(alice)).toEqual([defaultHost(alice), 'kept.example.org']);
    await waitFor('the claim to be free', async () => !(await claimed('shop.example.org')), { timeoutMs: 10_000 });
    expect(await cluster.hosts(alice.webspace)).toEqual([defaultHost(alice), 'kept.example.org']);
    await waitFor('the condition to be cleared', async () => (await condition())?.status === 'True', { timeoutMs: 10_000 });
    const mine = await lab.api({ id: alice.id }, 'GET', '/v2/operations?kind=domains&limit=1');
    expect(mine.json()).toMatchObject({
      operations: [{ webspace: alice.webspace, requestedBy: { username: 'sweep' }, status: 'completed' }],
    });
    await ask(204, bob, 'POST', 'shop.example.org');
  }, 90_000);
});

describe('kill -9 of the worker between claim and record', () => {
  /** A worker that has claimed the domain and will not come to writing the record; then it is dead. */
  async function killed(domain: string): Promise<{ answer: Promise<HttpAnswer>; worker: ProxiedWorker }> {
    const { lab, members } = session;
    lab.dns.set({ [domain]: proof(alice, bob) });
    const worker = await startProxiedWorker(lab);
    worker.proxy.writes = 'stuck';
    const answer = members.ask(alice, 'POST', `/domains/${domain}`);
    await waitFor('the claim', () => claimed(domain), { timeoutMs: 20_000 });
    await lab.process('worker').kill('SIGKILL');
    expect((await members.record(alice)).domains).toEqual([]);
    return { answer, worker };
  }

  /** What becomes of the operation while no worker lives. */
  async function end(how: 'cancelled' | 'terminated'): Promise<void> {
    const direct = new Direct(session.lab);
    const list = await session.lab.api({ id: alice.id }, 'GET', '/v2/operations?kind=domains&status=running');
    const { operations } = list.json<{ operations: { id: string }[] }>();
    expect(operations).toHaveLength(1);
    const handle = direct.client.workflow.getHandle(operations[0]?.id ?? '');
    await (how === 'cancelled' ? handle.cancel() : handle.terminate('by a test'));
    await direct.close();
  }

  it('leaves a claim that the next attempt adopts', async () => {
    const { answer, worker } = await killed('adopted.example.org');
    await worker.close();
    expect((await answer).status).toBe(204);
    expect(await listed(alice)).toEqual([defaultHost(alice), 'adopted.example.org']);
    expect(await holder('adopted.example.org')).toBe(alice.webspace);
  }, 120_000);

  // The lock of a run that was terminated is waited out for 45 s before a sweep may touch its claims.
  it.each(FULL ? (['cancelled', 'terminated'] as const) : (['cancelled'] as const))(
    'leaves a claim that is released when the operation was %s',
    async (how) => {
      const domain = `${how}.example.org`;
      const { answer, worker } = await killed(domain);
      await end(how);
      // Whoever carries on cannot write the record either: else it would be too late to cancel.
      worker.proxy.writes = 'refused';
      await worker.restart();
      expect((await answer).status).toBeGreaterThanOrEqual(400);
      const released = async () => {
        if (how === 'terminated') await session.sweeps.run();
        return !(await claimed(domain));
      };
      await waitFor('the claim to be released', released, { timeoutMs: 90_000, intervalMs: 1_000 });
      await worker.close();
      expect(await listed(alice)).toEqual([defaultHost(alice)]);
      await ask(204, bob, 'POST', domain);
    },
    180_000,
  );
});
