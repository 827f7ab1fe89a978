import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { openSession, report, type Session, times } from '../support/lab-session.js';
import type { Member } from '../support/members.js';

let session: Session;
beforeAll(async () => {
  session = await openSession();
}, 180_000);
afterAll(() => session?.close(), 120_000);

describe('a member who deletes and creates again at once', () => {
  it('has a new webspace each time, under another address, and its site is the new one', async () => {
    const { members } = session;
    const member = members.one(0);
    await members.running(member);
    const seen = new Set<string>();
    for (let round = 0; round < times({ short: 1, full: 20 }); round++) {
      const { uid, network } = await members.record(member);
      expect(seen.has(uid) || seen.has(network.address)).toBe(false);
      seen.add(uid).add(network.address);
      await members.delete(member);
      const begun = Date.now();
      await members.running(member);
      report('create, boot and first page', `${Date.now() - begun} ms after the delete`);
    }
  }, 200_000);

  it('does not have to wait for the answer of the delete', async () => {
    const { members } = session;
    const member = members.one(1);
    await members.running(member);
    const { uid } = await members.record(member);
    const deleted = members.expect(204, member, 'DELETE');
    const created = waitFor(
      'the creation',
      async () => {
        const answer = await members.ask(member, 'POST', '', { image: 'hello' });
        if (![201, 409, 503].includes(answer.status)) throw new Error(`${answer.status} ${answer.body}`);
        return answer.status === 201;
      },
      { timeoutMs: 30_000, intervalMs: 20 },
    );
    await Promise.all([deleted, created]);
    expect((await members.record(member)).uid).not.toBe(uid);
    await members.expect(204, member, 'POST', '/state');
    await members.served(member);
  }, 60_000);
});

describe('a record that somebody changed by hand', () => {
  it('into garbage makes that webspace unhealthy with the reason; its site is served, and no other webspace notices', async () => {
    const { cluster, lab, members, sweeps } = session;
    const [victim, other] = members.some(2, 10) as [Member, Member];
    await members.running(victim, other);
    const record = await members.record(victim);
    await sweeps.quiet();
    const before = await cluster.versions();

    await members.writeRecord(victim, 'garbage');
    const unhealthy = async () => (await cluster.condition(victim.webspace))?.reason === 'RecordUnreadable';
    await waitFor('the reason on the Webspace', unhealthy, { timeoutMs: 10_000 });
    expect((await cluster.condition(victim.webspace))?.message).toContain('not JSON');
    const result = await sweeps.run();
    expect(result).toMatchObject({ removed: 0, restored: 0, refusals: [] });
    for (const [method, path] of [
      ['GET', ''],
      ['PATCH', '/state'],
      ['DELETE', '/state'],
    ] as const) {
      const answer = await members.ask(victim, method, path);
      expect([method, path, answer.status, answer.body]).toEqual([method, path, 502, expect.stringContaining('user.webspaces.record')]);
    }
    expect(await cluster.versions()).toEqual(before);
    await Promise.all([members.served(victim), members.served(other)]);
    await lab.lxc(['restart', other.webspace]);
    await members.served(other);
    expect(await cluster.condition(other.webspace)).toMatchObject({ reason: 'InStep' });

    await members.writeRecord(victim, record);
    await waitFor('health again', async () => (await cluster.condition(victim.webspace))?.reason === 'InStep', { timeoutMs: 10_000 });
    await members.delete(victim);
    expect(await members.leftOf(victim)).toEqual([]);
  }, 120_000);

  it.each([
    ['a user name that can be no host name', { owner: { id: '1', username: 'no host name!' } }, 'owner.username'],
    ['a domain that would break out of its rule', { domains: ['x`) || PathPrefix(`/'] }, 'domains.0'],
  ])(
    'to %s stops no other webspace',
    async (_what, change, field) => {
      const { cluster, members, sweeps } = session;
      const [victim, other] = members.some(2, 14) as [Member, Member];
      await members.running(victim);
      const record = await members.record(victim);
      await members.writeRecord(victim, { ...record, ...change });
      const unhealthy = async () => (await cluster.condition(victim.webspace))?.message.includes(field);
      await waitFor('the reason on the Webspace', unhealthy, { timeoutMs: 10_000 });
      expect(await sweeps.run()).toMatchObject({ removed: 0, restored: 0, refusals: [] });
      await members.create(other);
      await members.delete(other);
      await members.writeRecord(victim, record);
      await members.delete(victim);
    },
    60_000,
  );

  it('by fields that we do not know keeps them through every operation', async () => {
    const { members } = session;
    const member = members.one(12);
    await members.create(member);
    const record = await members.record(member);
    const extended = { ...record, club: { role: 'treasurer' }, owner: { ...record.owner, nickname: 'x' } };
    await members.writeRecord(member, extended);
    for (const [method, path] of [
      ['POST', '/state'],
      ['PUT', '/state'],
      ['DELETE', '/state'],
      ['PATCH', '/state'],
    ] as const) {
      await members.expect(204, member, method, path);
    }
    expect(await members.record(member)).toEqual(extended);
  }, 60_000);

  it('to name what an older webspace names too: the older keeps it, the other shows the reason', async () => {
    const { cluster, members, sweeps } = session;
    const [older, younger] = members.some(2, 20) as [Member, Member];
    await members.running(older);
    await members.running(younger);
    const host = 'shared.example.org';
    for (const member of [older, younger]) {
      await members.writeRecord(member, { ...(await members.record(member)), domains: [host] });
    }
    await sweeps.quiet();
    await cluster.removeEverything();
    await sweeps.run();
    await sweeps.run();

    const { uid } = await members.record(older);
    expect((await cluster.owners())[`Domain/${host}`]).toBe(uid);
    expect(await cluster.hosts(older.webspace)).toContain(host);
    expect(await cluster.hosts(younger.webspace)).not.toContain(host);
    expect(await cluster.condition(younger.webspace)).toMatchObject({ status: 'False', reason: 'HeldByAnother' });
    expect((await cluster.condition(younger.webspace))?.message).toContain(host);
    await Promise.all([members.served(older), members.served(younger)]);
    expect(await cluster.has('configMap', 'claims-epoch')).toBe(true);

    const issued = async () => (await cluster.condition(older.webspace, 'Certificates'))?.reason === 'Issued';
    await waitFor('its certificate', issued, { timeoutMs: 20_000 });
    // Neither is restored again and again.
    const before = await cluster.versions();
    expect(await sweeps.run()).toMatchObject({ restored: 0, reconciled: 0 });
    expect(await cluster.versions()).toEqual(before);

    await members.delete(older);
    await sweeps.run();
    expect((await cluster.owners())[`Domain/${host}`]).toBe((await members.record(younger)).uid);
    expect(await cluster.hosts(younger.webspace)).toContain(host);
    expect(await cluster.condition(younger.webspace)).toMatchObject({ reason: 'InStep' });
  }, 120_000);
});
