import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DnsName } from '#lab/dns.js';
import { waitFor } from '#lab/wait.js';
import { Domains, proof } from '../support/domains.js';
import { openSession, report, type Session, times } from '../support/lab-session.js';
import type { Member } from '../support/members.js';

let session: Session;
let domains: Domains;
let alice: Member;
let bob: Member;
beforeAll(async () => {
  session = await openSession();
  domains = await Domains.of(session);
  ({ alice, bob } = domains);
}, 180_000);
beforeEach(() => session.lab.dns.clear());
afterEach(() => domains.removeAll(), 30_000);
afterAll(() => session?.close(), 120_000);

describe('row 16: the default domain', () => {
  it('is the first of the list, made of the user name, and stays', async () => {
    expect(await domains.listed(alice)).toEqual([domains.defaultHost(alice)]);
    for (const written of [domains.defaultHost(alice), `${domains.defaultHost(alice).toUpperCase()}.`]) {
      const answer = await domains.ask(400, alice, 'DELETE', written);
      expect(answer.json()).toMatchObject({ message: 'cannot remove the default domain', field: 'domain' });
    }
    expect(await session.cluster.hosts(alice.webspace)).toEqual([domains.defaultHost(alice)]);
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
      const answer = await domains.ask(400, alice, 'POST', 'shop.example.org');
      expect(answer.json()).toMatchObject({
        code: 'INVALID_INPUT',
        field: 'domain',
        message: expect.stringMatching(message),
        detail: expect.stringMatching(detail),
      });
      expect(await domains.claimed('shop.example.org')).toBe(false);
      expect(await domains.listed(alice)).toEqual([domains.defaultHost(alice)]);
    },
    30_000,
  );

  it('is added with the right record: claimed, in the record, in the rule, and served', async () => {
    const { lab, cluster, members } = session;
    lab.dns.set({ 'shop.example.org': proof(alice), 'blog.example.org': { txt: ['v=spf1 -all', ['webspace:', 'id:1001']] } });
    const answer = await domains.ask(204, alice, 'POST', 'shop.example.org');
    expect(answer.body).toBe('');
    await domains.ask(204, alice, 'POST', 'blog.example.org');
    const hosts = [domains.defaultHost(alice), 'shop.example.org', 'blog.example.org'];
    expect(await domains.listed(alice)).toEqual(hosts);
    expect(await cluster.hosts(alice.webspace)).toEqual(hosts);
    expect(await domains.holder('shop.example.org')).toBe(alice.webspace);
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
    expect((await domains.ask(400, alice, 'POST', domain)).json()).toMatchObject({ field: 'domain' });
  });

  it('is one claim however it is written', async () => {
    session.lab.dns.set({ 'xn--bcher-kva.example.org': proof(alice, bob) });
    await domains.ask(204, alice, 'POST', 'BÜCHER.example.org.');
    expect(await domains.listed(alice)).toEqual([domains.defaultHost(alice), 'xn--bcher-kva.example.org']);
    for (const written of ['bücher.example.org', 'XN--BCHER-KVA.example.org', 'bücher.example.org.']) {
      for (const member of [alice, bob]) {
        expect((await domains.ask(409, member, 'POST', written)).json()).toMatchObject({ message: 'used by a webspace' });
      }
    }
    await domains.ask(204, alice, 'DELETE', 'Bücher.Example.ORG');
    expect(await domains.listed(alice)).toEqual([domains.defaultHost(alice)]);
  }, 30_000);

  it('asked for by two webspaces at once goes to exactly one of them', async () => {
    const rounds = times({ short: 5, full: 1_000 });
    const wins = new Map([alice, bob].map(({ webspace }) => [webspace, 0]));
    const spellings = ['race.example.org', 'RACE.example.org', 'race.example.org.'];
    session.lab.dns.set({ 'race.example.org': proof(alice, bob) });
    for (let round = 0; round < rounds; round++) {
      const written = [spellings[round % 3] ?? '', spellings[(round + 1) % 3] ?? ''];
      const answers = await Promise.all([alice, bob].map((member, i) => session.members.ask(member, 'POST', `/domains/${written[i]}`)));
      expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
      const winner = answers[0]?.status === 204 ? alice : bob;
      const loser = winner === alice ? bob : alice;
      expect(await domains.holder('race.example.org')).toBe(winner.webspace);
      expect([await domains.listed(winner), await domains.listed(loser)]).toEqual([
        [domains.defaultHost(winner), 'race.example.org'],
        [domains.defaultHost(loser)],
      ]);
      wins.set(winner.webspace, (wins.get(winner.webspace) ?? 0) + 1);
      await domains.ask(204, winner, 'DELETE', 'race.example.org');
      expect(await domains.claimed('race.example.org')).toBe(false);
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
    await waitFor('32 domains', async () => (await domains.listed(bob)).length === 33, { timeoutMs: 20_000 });
    await session.sweeps.quiet();
    expect((await domains.ask(400, bob, 'POST', 'd32.example.org')).json()).toMatchObject({
      field: 'domain',
      message: expect.stringContaining('at most 32'),
    });
    expect((await change(['d32.example.org'], names.slice(0, 31))).status).toBe(202);
    const left = [domains.defaultHost(bob), 'd31.example.org', 'd32.example.org'];
    await waitFor('what is left', async () => JSON.stringify(await domains.listed(bob)) === JSON.stringify(left), { timeoutMs: 20_000 });
    await session.sweeps.quiet();
    expect(await domains.claimed('d0.example.org')).toBe(false);
  }, 90_000);

  it('of a change that fails for one name is not added for the other either', async () => {
    session.lab.dns.set({ 'one.example.org': proof(bob), 'two.example.org': proof(alice, bob) });
    await domains.ask(204, alice, 'POST', 'two.example.org');
    const body = { config: { httpPort: 8080 }, domains: { add: ['one.example.org', 'two.example.org'] } };
    const { id } = (await session.lab.api({ id: bob.id }, 'PATCH', `/v2/webspaces/${bob.webspace}`, body)).json<{ id: string }>();
    const operation = async () => (await session.lab.api({ id: bob.id }, 'GET', `/v2/operations/${id}`)).json<{ status: string }>();
    await waitFor('the change to fail', async () => (await operation()).status === 'failed', { timeoutMs: 20_000 });
    expect(await domains.listed(bob)).toEqual([domains.defaultHost(bob)]);
    expect((await session.members.record(bob)).http.port).toBe(80);
    expect([await domains.claimed('one.example.org'), await domains.holder('two.example.org')]).toEqual([false, alice.webspace]);
  }, 60_000);
});

describe('row 19: removing a domain', () => {
  it('takes it out of the record, the rule and the claims; an unknown one is 404', async () => {
    session.lab.dns.set({ 'shop.example.org': proof(alice, bob) });
    await domains.ask(204, alice, 'POST', 'shop.example.org');
    const answer = await domains.ask(204, alice, 'DELETE', 'shop.example.org');
    expect(answer.body).toBe('');
    expect(await domains.listed(alice)).toEqual([domains.defaultHost(alice)]);
    expect(await session.cluster.hosts(alice.webspace)).toEqual([domains.defaultHost(alice)]);
    expect(await domains.claimed('shop.example.org')).toBe(false);
    for (const unknown of ['shop.example.org', 'never.example.org', 'not a name']) {
      expect((await domains.ask(404, alice, 'DELETE', unknown)).json()).toMatchObject({ message: 'not found' });
    }
    await domains.ask(204, bob, 'POST', 'shop.example.org');
  }, 30_000);
});
