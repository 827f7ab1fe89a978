import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import type { AccountPolicyResult } from '#libs/contracts/accounts.js';
import { archiveAliasOf } from '#libs/domain/archive.js';
import { type PolicyLab, startPolicyLab } from '../support/account-policy.js';
import { type IamLab, PLATFORM, startIamLab } from '../support/api-beside.js';
import { openSession, report, type Session } from '../support/lab-session.js';
import { inTurns, type Member } from '../support/members.js';

const GRACE_SECONDS = 4;
const NOTHING: AccountPolicyResult = { checked: 0, renamed: 0, suspended: 0, resumed: 0, archived: 0, refusals: [] };
const LONG_AGO = '2020-01-01T00:00:00Z';

let session: Session;
let lab: IamLab;
let policy: PolicyLab;

beforeAll(async () => {
  session = await openSession();
  lab = await startIamLab(session.lab, accounts());
  policy = await startPolicyLab(session.lab, lab, GRACE_SECONDS);
}, 240_000);

afterEach(async () => {
  lab.iam.mode = 'normal';
  lab.iam.users.clear();
  for (const account of [PLATFORM, ...accounts()]) lab.iam.users.set(account.username, account);
  await session.members.removeAll();
}, 120_000);

afterAll(async () => {
  await policy?.close();
  await lab?.close();
  await session?.close();
}, 120_000);

function accounts() {
  return Array.from({ length: 12 }, (_, i) => ({ id: 1001 + i, username: `member${1001 + i}` }));
}

const member = (index: number): Member => session.members.one(index);
const host = (username: string) => `${username}.${session.lab.profile.baseDomain}`;
const asAdmin = (method: string, path: string, body?: unknown) => session.lab.api('admin', method, path, body);

/** The operations of a kind on one webspace, newest first. */
async function operationsOn({ webspace }: Member, kind: string): Promise<{ status: string; requestedBy?: { username: string } }[]> {
  return waitFor(
    `an operation ${kind} on ${webspace}`,
    async () => {
      const { operations } = (await asAdmin('GET', `/v2/operations?webspace=${webspace}&kind=${kind}`)).json<{ operations: [] }>();
      return operations.length > 0 ? operations : undefined;
    },
    { timeoutMs: 10_000, intervalMs: 200 },
  );
}

async function phase({ webspace }: Member): Promise<string> {
  return JSON.parse(await session.lab.lxc(['list', webspace, '--format=json']))[0]?.status ?? 'none';
}

describe('row 42: an account that is renamed', () => {
  it('takes its webspace to the new host; the old name is free for somebody else', async () => {
    const [one, two] = [member(0), member(1)];
    await session.members.running(one, two);
    lab.iam.change(one.username, { username: 'renamed1001' });
    expect(await policy.run()).toEqual({ ...NOTHING, checked: 2, renamed: 1 });

    const page = async () => (await session.lab.visit('renamed1001')).body.includes(one.webspace);
    await waitFor('the site under its new name', page, { timeoutMs: 20_000, intervalMs: 100 });
    expect(await session.cluster.hosts(one.webspace)).toEqual([host('renamed1001')]);
    expect(await session.cluster.has('domain', host(one.username))).toBe(false);
    expect((await session.members.record(one)).owner).toEqual({ id: '1001', username: 'renamed1001' });
    expect(await operationsOn(one, 'rename')).toEqual([
      expect.objectContaining({ status: 'completed', requestedBy: expect.objectContaining({ username: 'account-policy' }) }),
    ]);
    expect(await policy.run()).toEqual({ ...NOTHING, checked: 2 });

    lab.iam.change(two.username, { username: one.username });
    expect(await policy.run()).toMatchObject({ renamed: 1 });
    const taken = async () => (await session.lab.visit(one.username)).body.includes(two.webspace);
    await waitFor('the old name to lead to its new owner', taken, { timeoutMs: 20_000, intervalMs: 100 });
  }, 90_000);

  it('row 15: is followed at once by PATCH state, and row 16: the default domain is the new one', async () => {
    const one = member(0);
    await session.members.running(one);
    lab.iam.change(one.username, { username: 'patched1001' });
    const token = await lab.iam.issue('patched1001');
    expect((await lab.api.ask(token, 'PATCH', '/v1/webspace/self/state')).status).toBe(204);
    expect(await session.cluster.hosts(one.webspace)).toEqual([host('patched1001')]);
    const { url } = (await lab.api.ask(token, 'GET', `/v2/webspaces/${one.webspace}`)).json<{ url: string }>();
    expect(new URL(url).hostname).toBe(host('patched1001'));
    const page = async () => (await session.lab.visit('patched1001')).body.includes(one.webspace);
    await waitFor('the site under its new name', page, { timeoutMs: 20_000, intervalMs: 100 });
  }, 60_000);

  it('keeps its old host while the new name cannot be one; names that go from one to the next are settled in two rounds', async () => {
    const [one, two] = [member(0), member(1)];
    await session.members.running(one, two);
    lab.iam.change(one.username, { username: 'a.b' });
    expect(await policy.run()).toEqual({
      ...NOTHING,
      checked: 2,
      refusals: [expect.stringContaining('"a.b" now, which cannot be a host name')],
    });
    await session.members.served(one);

    lab.iam.change(two.username, { username: 'spare' });
    lab.iam.change('a.b', { username: two.username });
    await policy.run();
    await policy.run();
    expect(await policy.run()).toEqual({ ...NOTHING, checked: 2 });
    expect(await session.cluster.hosts(one.webspace)).toEqual([host(two.username)]);
    expect(await session.cluster.hosts(two.webspace)).toEqual([host('spare')]);
  }, 60_000);
});

describe('row 42: a membership that ends', () => {
  it('turns the webspace off, which nobody can boot, until it is renewed', async () => {
    const [one, other] = [member(0), member(1)];
    await session.members.running(one, other);
    lab.iam.change(one.username, { renewed: LONG_AGO });
    expect(await policy.run()).toEqual({ ...NOTHING, checked: 2, suspended: 1 });

    expect(await phase(one)).toBe('Stopped');
    expect(await session.cluster.target(one.webspace)).toBe('webspaces-gateway');
    expect(await session.cluster.condition(one.webspace, 'Suspended')).toMatchObject({ status: 'True', reason: 'MembershipEnded' });
    expect((await asAdmin('GET', `/v2/webspaces/${one.webspace}`)).json()).toMatchObject({
      phase: 'stopped',
      suspended: { reason: 'expired', by: 'account-policy' },
    });
    for (const [method, path] of [
      ['POST', `/v1/webspace/id:${one.id}/state`],
      ['POST', `/v2/webspaces/${one.webspace}/boot`],
    ] as const) {
      const answer = await asAdmin(method, path);
      expect([answer.status, answer.json()]).toEqual([
        409,
        expect.objectContaining({ message: 'suspended', detail: expect.stringContaining('the membership of its account has ended') }),
      ]);
    }
    await session.members.served(other);

    // Started by hand it runs, and visitors do not meet it.
    await session.lab.lxc(['start', one.webspace]);
    await waitFor('its phase to be seen', async () => (await session.cluster.phase(one.webspace)) === 'running', { timeoutMs: 10_000 });
    expect(await session.cluster.target(one.webspace)).toBe('webspaces-gateway');
    await session.lab.lxc(['stop', one.webspace, '--force']);

    lab.iam.change(one.username, { renewed: new Date().toISOString() });
    expect(await policy.run()).toEqual({ ...NOTHING, checked: 2, resumed: 1 });
    expect(await session.cluster.condition(one.webspace, 'Suspended')).toMatchObject({ status: 'False', reason: 'Resumed' });
    await session.members.expect(204, one, 'POST', '/state');
    await session.members.served(one);
    expect((await operationsOn(one, 'suspend')).concat(await operationsOn(one, 'resume'))).toEqual([
      expect.objectContaining({ status: 'completed' }),
      expect.objectContaining({ status: 'completed' }),
    ]);
  }, 90_000);
});

describe('row 42: an account that is deleted', () => {
  it('has its webspace turned off, archived after the grace and deleted; the archive brings it back for that account only', async () => {
    const [one, other] = [member(0), member(1)];
    await session.members.running(one, other);
    const { uid } = await session.members.record(one);
    await session.lab.lxc(['exec', one.webspace, '--', 'sh', '-c', 'echo precious > /root/diary']);
    lab.iam.users.delete(one.username);

    const begun = Date.now();
    expect(await policy.run()).toEqual({ ...NOTHING, checked: 2, suspended: 1 });
    expect(await policy.run()).toEqual({ ...NOTHING, checked: 2 });
    expect(await session.cluster.condition(one.webspace, 'Suspended')).toMatchObject({ status: 'True', reason: 'AccountDeleted' });
    const archived = async () => (await policy.run()).archived === 1;
    await waitFor('the grace to be over', archived, { timeoutMs: 60_000, intervalMs: 500 });
    expect(Date.now() - begun).toBeGreaterThan(GRACE_SECONDS * 1000);
    report('from the first round to the archive, with a grace of 4 s', `${Date.now() - begun} ms`);

    expect(await session.members.leftOf(one)).toEqual([]);
    const alias = archiveAliasOf(one.webspace, uid);
    expect(await session.lab.lxc(['image', 'info', alias])).toContain(`webspaces.owner: ${one.id}\n`);
    for (const kind of ['archive', 'delete'])
      expect((await operationsOn(one, kind))[0]).toMatchObject({ status: 'completed', requestedBy: { username: 'account-policy' } });

    const listed = (await lab.api.ask(undefined, 'GET', '/v1/images')).json<{ aliases: { name: string }[] }[]>();
    expect(listed.flatMap(({ aliases }) => aliases.map(({ name }) => name))).not.toContain(alias);
    const third = member(2);
    await session.members.expect(404, third, 'POST', '', { image: alias });
    const { fingerprint } = JSON.parse(await session.lab.lxc(['image', 'list', alias, '--format=json']))[0] as { fingerprint: string };
    await session.members.expect(404, third, 'POST', '', { image: fingerprint });
    expect(await session.members.leftOf(third)).toEqual([]);

    await session.members.expect(201, one, 'POST', '', { image: alias });
    await session.members.expect(204, one, 'POST', '/state');
    await session.members.served(one);
    expect(await session.lab.lxc(['exec', one.webspace, '--', 'cat', '/root/diary'])).toBe('precious\n');
    await session.members.served(other);
    await session.lab.lxc(['image', 'delete', alias]);
  }, 180_000);
});

describe('row 42: an identity service that is not to be believed', () => {
  it('changes nothing while it is away, refuses the platform itself, or knows nobody', async () => {
    expect(await policy.scheduled()).toBe(true);
    const members = [member(0), member(1)];
    await session.members.running(...members);
    const before = await session.cluster.versions();
    const unreadable = await policy.refused('AccountsUnreadable');
    for (const mode of ['failing', 'refusing', 'hanging'] as const) {
      lab.iam.mode = mode;
      const result = await policy.run();
      expect([mode, result]).toEqual([mode, { ...NOTHING, refusals: [expect.stringContaining('cannot be')] }]);
    }
    lab.iam.mode = 'normal';
    lab.iam.change(PLATFORM.username, { version: 7 });
    const believed = async () => (await policy.run()).refusals.some((text) => text.includes("refused the platform's own token"));
    await waitFor('the refused token to be told', believed, { timeoutMs: 20_000, intervalMs: 200 });
    expect(await policy.refused('AccountsUnreadable')).toBeGreaterThan(unreadable + 3);

    lab.iam.users.clear();
    lab.iam.users.set(PLATFORM.username, PLATFORM);
    expect(await policy.run()).toEqual({ ...NOTHING, checked: 2, refusals: [expect.stringContaining('none of 2 accounts exists')] });
    expect(await policy.refused('NobodyExists')).toBeGreaterThan(0);
    expect(await session.cluster.versions()).toEqual(before);
    for (const one of members) await session.members.served(one);
  }, 120_000);

  it('says too much at once: more than five are suspended only when an admin says so', async () => {
    const all = Array.from({ length: 7 }, (_, i) => member(i));
    await inTurns(all, 3, (one) => session.members.create(one));
    for (const one of all.slice(0, 6)) lab.iam.users.delete(one.username);
    const refused = await policy.run();
    expect(refused).toEqual({
      ...NOTHING,
      checked: 7,
      refusals: [expect.stringMatching(/6 webspaces would be suspended.*account-policy-approved/)],
    });
    await session.cluster.create('configMap', { metadata: { name: 'account-policy-approved' }, data: { upTo: '6' } });
    expect(await policy.run()).toEqual({ ...NOTHING, checked: 7, suspended: 6 });
    expect(await session.cluster.has('configMap', 'account-policy-approved')).toBe(false);
  }, 120_000);
});

describe('an admin, with or without a directory', () => {
  it('suspends an account, which its member cannot undo, and resumes it', async () => {
    const one = member(0);
    await session.members.running(one);
    expect((await session.lab.api({ id: one.id }, 'POST', `/v2/accounts/${one.id}/suspend`, {})).status).toBe(403);
    const note = 'mining';
    const answer = await asAdmin('POST', `/v2/accounts/${one.id}/suspend`, { note });
    expect([answer.status, answer.json()]).toEqual([202, expect.objectContaining({ kind: 'suspend', webspace: one.webspace })]);
    await waitFor('the container to be off', async () => (await phase(one)) === 'Stopped', { timeoutMs: 60_000, intervalMs: 200 });
    await waitFor('the operation to end', async () => (await operationsOn(one, 'suspend'))[0]?.status === 'completed', {
      timeoutMs: 20_000,
    });

    expect((await session.members.expect(409, one, 'POST', '/state')).json()).toMatchObject({
      message: 'suspended',
      detail: expect.stringMatching(/an admin has suspended it \(mining\)/),
    });
    expect((await session.members.expect(409, one, 'DELETE')).json()).toMatchObject({ message: 'suspended' });
    expect(await policy.run()).toEqual({ ...NOTHING, checked: 1 });
    expect((await asAdmin('POST', `/v2/accounts/${one.id}/suspend`, {})).status).toBe(409);
    expect((await asAdmin('POST', '/v2/accounts/999999/suspend', {})).status).toBe(404);

    expect((await asAdmin('POST', `/v2/accounts/${one.id}/resume`)).status).toBe(202);
    await waitFor('the end of the suspension', async () => (await session.members.ask(one, 'POST', '/state')).status === 204, {
      timeoutMs: 20_000,
      intervalMs: 200,
    });
    await session.members.served(one);
    expect((await asAdmin('POST', `/v2/accounts/${one.id}/resume`)).status).toBe(409);
  }, 120_000);
});
