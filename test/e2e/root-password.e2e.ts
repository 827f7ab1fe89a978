import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loginInside } from '../support/inside.js';
import { openSession, report, type Session } from '../support/lab-session.js';
import { SecretSearch } from '../support/leaks-of-secrets.js';
import { inTurns, type Member } from '../support/members.js';

const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('');
const PASSWORDS: readonly (readonly [string, string])[] = [
  ['double quotes', 'planted-"double"-"quotes'],
  ['single quotes', `planted-'single'-'quotes`],
  ['dollars', `planted-$HOME-\${HOME}-$(id)-$`],
  ['backticks', 'planted-`id`-`'],
  ['backslashes', 'planted-\\n-\\\\-\\'],
  ['colons', 'planted:root:x:0:'],
  ['spaces', ' planted  with spaces '],
  ['non-ASCII', 'planted-ünï-€-пароль-日本-𝄞'],
  ['every printable character', `planted-${PRINTABLE}`],
  ['128 characters', 'planted-'.padEnd(128, '0123456789abcdef')],
  ['128 characters of 248 bytes', 'planted-'.padEnd(128, 'ü')],
];

interface Problem {
  readonly message: string;
  readonly field?: string;
}

let session: Session;
let before: readonly string[];
beforeAll(async () => {
  session = await openSession();
  await session.lab.importImage('no-shadow', { serial: 'no-shadow', without: ['/etc/shadow'] });
  await session.lab.importImage('open-root', { serial: 'open-root', programs: { '/etc/passwd': 'root::0:0:root:/root:/bin/sh\n' } });
  before = await session.members.audit();
}, 180_000);
afterAll(() => session?.close(), 120_000);

const shadowOf = (member: Member) => session.lab.lxc(['file', 'pull', `${member.webspace}/etc/shadow`, '-']);
const hashOf = (shadow: string) => /^root:([^:]*):/m.exec(shadow)?.[1] ?? '';

describe('row 6: root password at creation', () => {
  it('every password logs in inside, and neither it nor its hash is anywhere else', async () => {
    const { lab, members } = session;
    const watched = new SecretSearch(PASSWORDS.map(([, password]) => password));
    const stop = watched.watchProcesses();
    const outcomes = new Map<string, string>();
    const hashes: string[] = [];
    const made: number[] = [];
    await inTurns([...PASSWORDS.entries()], 2, async ([i, [what, password]]) => {
      const member = members.one(i);
      const begun = Date.now();
      await members.expect(201, member, 'POST', '', { image: 'hello', password });
      made.push(Date.now() - begun);
      hashes.push(hashOf(await shadowOf(member)));
      await members.expect(204, member, 'POST', '/state');
      outcomes.set(what, await loginInside(lab, member.webspace, password));
    });
    expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(PASSWORDS.map(([what]) => [what, 'in'])));
    expect(await loginInside(lab, members.one(0).webspace, 'planted-"double"-"quoteS')).toBe('refused');
    const processes = stop();
    expect(processes.found).toEqual([]);
    expect(hashes.filter((hash) => /^\$6\$[^$]{16}\$.{86}$/.test(hash))).toHaveLength(PASSWORDS.length);

    const search = new SecretSearch([...PASSWORDS.map(([, password]) => password), ...hashes.flatMap((hash) => [hash, hash.slice(20)])]);
    const histories = await search.inHistories(lab);
    expect(histories.found).toEqual([]);
    expect(histories.searched).toBeGreaterThanOrEqual(2 * PASSWORDS.length);
    const logs = search.inLogs(lab);
    expect(logs.found).toEqual([]);
    expect(logs.searched).toEqual(expect.arrayContaining(['api.log', 'worker.log', 'lxd.log', 'temporal.log', 'kube-apiserver.log']));
    const objects = await search.inKubernetes(lab);
    expect(objects.found).toEqual([]);
    for (const i of PASSWORDS.keys()) expect(search.isIn(await lab.lxc(['config', 'show', members.one(i).webspace]))).toBe(false);
    report('creation with a password', `median ${made.sort((a, b) => a - b)[made.length >> 1]} ms, two at a time`);
    report('searched', `${histories.searched} histories, ${objects.searched} kinds of objects, processes ${processes.looks} times`);
    await members.removeAll();
    expect(await members.audit()).toEqual(before);
  }, 240_000);

  it('keeps owner, mode and all other lines, and does not boot the container', async () => {
    const { lab, members } = session;
    const member = members.one(0);
    await members.expect(201, member, 'POST', '', { image: 'hello', password: 'planted' });
    expect(await shadowOf(member)).toMatch(/^root:\$6\$[^:]+:\d{5}:0:99999:7:::\nnobody:\*:19700:0:99999:7:::\n$/);
    const shown = JSON.parse(await lab.lxc(['query', `/1.0/instances/${member.webspace}`])) as { status: string; last_used_at: string };
    expect([shown.status, Date.parse(shown.last_used_at) > 0]).toEqual(['Stopped', false]);
    expect((await members.record(member)).phase).toBe('ready');
    await members.expect(204, member, 'POST', '/state');
    expect((await lab.lxc(['exec', member.webspace, '--', 'stat', '-c', '%a %u %g', '/etc/shadow'])).trim()).toBe('640 0 0');
    expect((await lab.lxc(['exec', member.webspace, '--', 'ls', '-A', '/etc'])).split('\n')).not.toContain('.webspaces-shadow');
    await members.delete(member);
  }, 60_000);

  it('closes a root without password', async () => {
    const { lab, members } = session;
    const member = members.one(0);
    await members.expect(201, member, 'POST', '', { image: 'open-root', password: 'planted' });
    await members.expect(204, member, 'POST', '/state');
    expect(await loginInside(lab, member.webspace, 'planted')).toBe('in');
    await members.delete(member);
  }, 60_000);

  it.each([
    ['that is empty', ''],
    ['with a line end', 'plan\nted'],
    ['with a NUL', 'planted\0'],
    ['of 129 characters', 'x'.repeat(129)],
    ['of more bytes than every system reads', '€'.repeat(86)],
  ])(
    '400 naming `password` for one %s, and nothing is made',
    async (_what, password) => {
      const { members } = session;
      const answer = await members.expect(400, members.one(0), 'POST', '', { image: 'hello', password });
      expect(answer.json<Problem>()).toMatchObject({ field: 'password', message: expect.stringContaining('password') });
      expect(await members.audit()).toEqual(before);
    },
    30_000,
  );

  it('an image without /etc/shadow: 400 that says so, and nothing is left', async () => {
    const { members } = session;
    const answer = await members.expect(400, members.one(0), 'POST', '', { image: 'no-shadow', password: 'planted' });
    expect(answer.json<Problem & { detail: string }>()).toMatchObject({
      field: 'password',
      detail: expect.stringContaining('/etc/shadow'),
    });
    expect(await members.leftOf(members.one(0))).toEqual([]);
  }, 60_000);
});
