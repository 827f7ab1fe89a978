import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { tryRun } from '#lab/exec.js';
import { importImage } from '#lab/image.js';
import { waitFor } from '#lab/wait.js';
import { giveKeys, type KeyPair, newKeyPair } from '../support/accounts.js';
import { Direct } from '../support/direct.js';
import { inFullRun, openSession, report, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { debianImage, fakeAptImage, INSTALLS } from '../support/package-images.js';

interface Problem {
  readonly message: string;
  readonly detail: string;
  readonly field?: string;
}

const WITH_KEYS = 8;
let session: Session;
let direct: Direct;
let key: KeyPair;
let before: readonly string[];
beforeAll(async () => {
  session = await openSession();
  const { lab, members } = session;
  direct = new Direct(lab);
  key = newKeyPair();
  giveKeys(lab, Object.fromEntries(members.some(WITH_KEYS, 30).map(({ id }) => [id, key.publicKey])));
  await lab.importImage('apt', fakeAptImage('apt', INSTALLS));
  await lab.importImage(
    'apt-fails',
    fakeAptImage('apt-fails', 'echo "first line"; echo "E: Unable to locate package openssh-server" >&2; exit 100'),
  );
  await lab.importImage('apt-hangs', fakeAptImage('apt-hangs', 'sleep 600'));
  await lab.importImage('no-os', { serial: 'no-os', os: '' });
  await lab.importImage('has-sshd', { serial: 'has-sshd', os: 'plan9', programs: { '/usr/sbin/sshd': '#!/bin/sh\n' } });
  before = await members.audit();
}, 240_000);
afterAll(async () => {
  await direct?.close();
  await session?.close();
}, 120_000);

const withKey = (index: number) => session.members.one(30 + index);
const SSH = { ssh: true };
const stateOf = async ({ webspace }: Member) =>
  JSON.parse(await session.lab.lxc(['query', `/1.0/instances/${webspace}`])) as { status: string; last_used_at: string };
const inside = ({ webspace }: Member, ...command: string[]) => session.lab.lxc(['exec', webspace, '--', ...command]);

async function nothingIsLeftOf(member: Member): Promise<void> {
  expect(await session.members.leftOf(member)).toEqual([]);
  expect((await session.members.audit()).filter((what) => !before.includes(what) && /portforward/i.test(what))).toEqual([]);
}

/** Starts a creation and waits until its package manager runs. */
async function installing(member: Member): Promise<string> {
  const answer = await session.lab.api({ id: member.id }, 'POST', '/v2/webspaces', { image: 'apt-hangs', ...SSH });
  expect(answer.status).toBe(202);
  await waitFor(
    'the package manager to run',
    async () => (await tryRunInside(member, 'cat', '/var/log/packages.log')).includes('install'),
    { timeoutMs: 60_000, intervalMs: 300 },
  );
  return answer.json<{ id: string }>().id;
}

async function tryRunInside(member: Member, ...command: string[]): Promise<string> {
  return inside(member, ...command).catch(() => '');
}

describe('row 7: SSH key at creation', () => {
  it('installs a server by the image’s os, lets the key in, and forwards a port to 22', async () => {
    const { members, cluster } = session;
    const member = withKey(0);
    const begun = Date.now();
    const { ports } = (await members.expect(201, member, 'POST', '', { image: 'apt', ...SSH })).json<{ ports: Record<string, number> }>();
    report('creation with an SSH server by a fake package manager', `${Date.now() - begun} ms`);
    expect(Object.values(ports)).toEqual([22]);
    const external = Number(Object.keys(ports)[0]);
    const record = await members.record(member);
    expect(record).toMatchObject({ phase: 'ready', ports: [{ protocol: 'tcp', external, internal: 22 }] });
    expect((await cluster.find('portForward', `tcp-${external}`))?.['spec']).toMatchObject({
      webspace: member.webspace,
      uid: record.uid,
      internal: 22,
    });
    expect((await stateOf(member)).status).toBe('Stopped');
    expect((await members.expect(200, member, 'GET', '/ports')).json()).toEqual(ports);
    await members.expect(204, member, 'POST', '/state');
    expect(await inside(member, 'cat', '/root/.ssh/authorized_keys')).toBe(`${key.publicKey}\n`);
    expect((await inside(member, 'stat', '-c', '%a %u %g', '/root/.ssh', '/root/.ssh/authorized_keys')).trim()).toBe('700 0 0\n600 0 0');
    expect((await inside(member, 'cat', '/var/log/packages.log')).trim().split('\n')).toEqual([
      'apt-get -q update (noninteractive)',
      'apt-get -q -y install --no-install-recommends openssh-server (noninteractive)',
    ]);
    await members.delete(member);
    await nothingIsLeftOf(member);
  }, 90_000);

  it('boots nothing when the image has a server, whatever its os', async () => {
    const { members } = session;
    const member = withKey(1);
    const answer = await members.expect(201, member, 'POST', '', { image: 'has-sshd', ...SSH, password: 'planted' });
    expect(Object.values(answer.json<{ ports: object }>().ports)).toEqual([22]);
    const { status, last_used_at } = await stateOf(member);
    expect([status, Date.parse(last_used_at) > 0]).toEqual(['Stopped', false]);
    await members.delete(member);
  }, 60_000);

  it('400 `user has no SSH public key` before anything is made', async () => {
    const { members } = session;
    const answer = await members.expect(400, members.one(0), 'POST', '', { image: 'apt', ...SSH });
    expect(answer.json<Problem>()).toMatchObject({ message: 'user has no SSH public key', field: 'ssh' });
    expect(answer.headers['x-operation-id']).toBeUndefined();
    expect(await members.audit()).toEqual(before);
  });

  it.each([
    ['is not known', 'hello', '"os" = "hello"'],
    ['is missing', 'no-os', 'no property "os"'],
  ])(
    '400 when the os %s and no server is there, and nothing is left',
    async (_what, image, says) => {
      const { members } = session;
      const answer = await members.expect(400, withKey(2), 'POST', '', { image, ...SSH });
      expect(answer.json<Problem>()).toMatchObject({ field: 'ssh', detail: expect.stringContaining(says) });
      expect(answer.json<Problem>().detail).toContain('debian');
      await nothingIsLeftOf(withKey(2));
    },
    60_000,
  );

  it('502 with the last lines of a package manager that fails, and nothing is left', async () => {
    const { members } = session;
    const answer = await members.expect(502, withKey(3), 'POST', '', { image: 'apt-fails', ...SSH });
    expect(answer.json<Problem>().detail).toContain('exit code 100');
    expect(answer.json<Problem>().detail).toContain('E: Unable to locate package openssh-server');
    await nothingIsLeftOf(withKey(3));
  }, 120_000);

  it('while it is installed a boot waits, reads answer, and a cancellation leaves nothing', async () => {
    const { lab, members } = session;
    const member = withKey(4);
    const operation = await installing(member);
    const view = (await lab.api({ id: member.id }, 'GET', `/v2/webspaces/${member.webspace}`)).json<{ phase: string }>();
    expect(view.phase).toBe('creating');
    await members.expect(200, member, 'GET');
    await members.expect(409, member, 'POST', '', { image: 'hello' });
    expect((await lab.api({ id: member.id }, 'POST', `/v2/operations/${operation}/cancel`)).status).toBeLessThan(300);
    await waitFor('nothing to be left', async () => (await members.leftOf(member)).length === 0, { timeoutMs: 60_000, intervalMs: 200 });
    await nothingIsLeftOf(member);
  }, 120_000);

  inFullRun(it)(
    'a creation that is terminated is no webspace, and the sweep removes what it left',
    async () => {
      const { members, sweeps } = session;
      const member = withKey(5);
      const workflowId = await installing(member);
      await direct.client.workflow.getHandle(workflowId).terminate('by a test');
      expect((await members.record(member)).phase).toBe('creating');
      await waitFor(
        'sweeps to remove it',
        async () => {
          await sweeps.run();
          return (await members.leftOf(member)).length === 0;
        },
        { timeoutMs: 150_000, intervalMs: 2_000 },
      );
      await nothingIsLeftOf(member);
    },
    240_000,
  );

  inFullRun(it)(
    'Debian: installs OpenSSH from a folder of packages, and the key logs in',
    async () => {
      const { lab, members } = session;
      const member = withKey(6);
      await importImage(lab.stack.lxd.client, await debianImage(), 'debian');
      const begun = Date.now();
      const { id } = (
        await lab.api({ id: member.id }, 'POST', '/v2/webspaces', { image: 'debian', ...SSH, password: 'planted', boot: true })
      ).json<{ id: string }>();
      expect(await direct.outcome({ workflowId: id, runId: '' }, 420_000)).toMatchObject({
        is: 'completed',
        result: { ports: [{ internal: 22 }] },
      });
      report('Debian with OpenSSH from local packages', `${Date.now() - begun} ms until it is booted`);
      const { network } = await members.record(member);
      const ssh = (...options: string[]) =>
        tryRun('ssh', [
          ...['-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'ConnectTimeout=5'],
          ...options,
          `root@${network.address}`,
          'id -un; hostname',
        ]);
      const said = await waitFor(
        'the key to log in',
        async () => {
          const { stdout } = await ssh('-i', key.privateKeyFile);
          return stdout === '' ? undefined : stdout;
        },
        { timeoutMs: 60_000, intervalMs: 500 },
      );
      expect(said.trim().split('\n')).toEqual(['root', member.webspace]);
      expect((await ssh('-i', newKeyPair().privateKeyFile)).exitCode).toBe(255);
      await members.delete(member);
      await nothingIsLeftOf(member);
    },
    1_200_000,
  );
});
