import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { HttpAnswer } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { Direct } from '../support/direct.js';
import { Domains, proof } from '../support/domains.js';
import { FULL, openSession, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { type ProxiedWorker, startProxiedWorker } from '../support/proxied-worker.js';

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
    await domains.ask(204, alice, 'POST', 'shop.example.org');
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
    await domains.ask(204, alice, 'POST', 'shop.example.org');
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
    await domains.ask(204, alice, 'POST', 'shop.example.org');
    await domains.ask(204, alice, 'POST', 'kept.example.org');
    await restart(1, 1);
    lab.dns.set({ 'shop.example.org': proof(bob) });
    await waitFor('the release', async () => (await domains.listed(alice)).length === 2, { timeoutMs: 30_000 });
    expect(await domains.listed(alice)).toEqual([domains.defaultHost(alice), 'kept.example.org']);
    await waitFor('the claim to be free', async () => !(await domains.claimed('shop.example.org')), { timeoutMs: 10_000 });
    expect(await cluster.hosts(alice.webspace)).toEqual([domains.defaultHost(alice), 'kept.example.org']);
    await waitFor('the condition to be cleared', async () => (await condition())?.status === 'True', { timeoutMs: 10_000 });
    const mine = await lab.api({ id: alice.id }, 'GET', '/v2/operations?kind=domains&limit=1');
    expect(mine.json()).toMatchObject({
      operations: [{ webspace: alice.webspace, requestedBy: { username: 'sweep' }, status: 'completed' }],
    });
    await domains.ask(204, bob, 'POST', 'shop.example.org');
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
    await waitFor('the claim', () => domains.claimed(domain), { timeoutMs: 20_000 });
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
    expect(await domains.listed(alice)).toEqual([domains.defaultHost(alice), 'adopted.example.org']);
    expect(await domains.holder('adopted.example.org')).toBe(alice.webspace);
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
        return !(await domains.claimed(domain));
      };
      await waitFor('the claim to be released', released, { timeoutMs: 90_000, intervalMs: 1_000 });
      await worker.close();
      expect(await domains.listed(alice)).toEqual([domains.defaultHost(alice)]);
      await domains.ask(204, bob, 'POST', domain);
    },
    180_000,
  );
});
