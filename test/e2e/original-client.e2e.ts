import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { type IamLab, startIamLab } from '../support/api-beside.js';
import { openSession, report, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { OriginalCli } from '../support/v1-client/original-cli.js';
import { PROMPT, type V1Client } from '../support/v1-client/v1-client.js';
import { WireClient } from '../support/v1-client/wire.js';

const PASSWORD = 'correct horse "battery" \'staple\' $HOME `id` \\ : é';
const SSH_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBm2dJ0nT0bVQm0yX8cVhX6y0q1p1m1J9C3o5J3nKk2F member@example.org';
/** Names the binary of the original's CLI, github.com/netsoc/cli, to be run against us as it is. */
const BINARY = process.env['NETSOC_CLI'];

let session: Session;
let lab: IamLab;
const members: Member[] = [];

beforeAll(async () => {
  session = await openSession();
  members.push(...session.members.some(2, 40));
  lab = await startIamLab(
    session.lab,
    members.map(({ id, username }) => ({ id, username, password: PASSWORD, ssh_key: SSH_KEY })),
  );
  if (BINARY === undefined) report('NOT RUN', 'the original CLI itself: NETSOC_CLI does not name its binary. Its requests are, below');
}, 240_000);

afterAll(async () => {
  await lab?.close();
  await session?.close();
}, 120_000);

const CLIENTS = ['requests of its form', ...(BINARY === undefined ? [] : ['the original CLI'])];

function clientNamed(name: string): V1Client {
  const urls = { iam: lab.iam.url, webspaced: `${lab.api.url}/v1` };
  if (name !== 'the original CLI') return new WireClient(urls);
  return new OriginalCli(String(BINARY), urls, join(session.lab.profile.paths.state, 'netsoc-cli'));
}

describe.each(CLIENTS)('the original’s client: %s', (name) => {
  let client: V1Client;
  let member: Member;

  beforeAll(async () => {
    client = clientNamed(name);
    member = members[CLIENTS.indexOf(name)] as Member;
    await client.login(member.username, PASSWORD);
  });

  const phase = () => session.cluster.phase(member.webspace);
  const record = () => session.members.record(member);
  const inside = (...command: string[]) => session.lab.lxc(['exec', member.webspace, '--', ...command]);

  it('account login, account info', async () => {
    expect(await client.info()).toMatchObject({ username: member.username });
    await expect(clientNamed('requests of its form').login(member.username, 'wrong')).rejects.toThrow();
  });

  it('webspace images', async () => {
    const hello = (await client.images()).find(({ aliases }) => aliases.some((alias) => alias.name === 'hello'));
    expect(hello?.fingerprint).toBe((await session.lab.lxc(['image', 'list', 'hello', '--format', 'csv', '-c', 'F'])).trim());
  });

  it('webspace init: without a password, again (refused), and delete', async () => {
    await client.init('hello');
    expect(await session.lab.lxc(['list', member.webspace, '--format', 'csv', '-c', 'ns'])).toContain('STOPPED');
    await waitFor('the Webspace to say so', async () => (await phase()) === 'stopped', { timeoutMs: 10_000 });
    await expect(client.init('hello')).rejects.toThrow('already exists');
    await expect(client.init('no-such-image')).rejects.toThrow();
    await client.delete();
    expect(await session.members.leftOf(member)).toEqual([]);
    await expect(client.status()).rejects.toThrow('not found');
  }, 60_000);

  it('webspace init with a password and --ssh', async () => {
    // An image that has an SSH server already: how one is installed is shown elsewhere.
    await session.lab.importImage('with-sshd', { os: 'debian', programs: { '/usr/sbin/sshd': '#!/bin/sh\nexec sleep 3600\n' } });
    await client.init('with-sshd', { password: PASSWORD, ssh: true });
    expect(Object.values(await client.ports())).toEqual([22]);
    await client.boot();
    expect(await inside('cat', '/etc/shadow')).toMatch(/^root:\$6\$/m);
    expect(await inside('cat', '/root/.ssh/authorized_keys')).toContain(SSH_KEY);
    await client.shutdown();
  }, 120_000);

  it('webspace status, boot, reboot, shutdown', async () => {
    expect((await client.status()).running).toBe(false);
    await client.boot();
    expect((await client.status()).running).toBe(true);
    await session.members.served(member);
    await expect(client.boot()).rejects.toThrow('already running');
    const pid = () =>
      session.lab.lxc(['query', `/1.0/instances/${member.webspace}/state`]).then((text) => (JSON.parse(text) as { pid: number }).pid);
    const before = await pid();
    await client.reboot();
    expect(await pid()).not.toBe(before);
    await client.shutdown();
    expect((await client.status()).running).toBe(false);
    await expect(client.shutdown()).rejects.toThrow('not running');
    await waitFor('the Webspace to say so', async () => (await phase()) === 'stopped', { timeoutMs: 10_000 });
  }, 60_000);

  it('webspace config, config set', async () => {
    await client.configSet('startupDelay', 2.5);
    await client.configSet('httpPort', 8080);
    await client.configSet('sniPassthrough', true);
    expect(await client.config()).toEqual({ startupDelay: 2.5, httpPort: 8080, sniPassthrough: true });
    expect((await record()).http).toMatchObject({ startupDelaySeconds: 2.5, port: 8080, sniPassthrough: true });
    expect(await session.cluster.has('ingressRouteTcp', member.webspace)).toBe(true);
    await client.configSet('sniPassthrough', false);
    await client.configSet('startupDelay', 0);
    const { sniPassthrough, startupDelay } = await client.config();
    // The original's CLI sends {} for these, and reports success.
    expect({ sniPassthrough, startupDelay }).toEqual(
      client.sendsZeroValues ? { sniPassthrough: false, startupDelay: 0 } : { sniPassthrough: true, startupDelay: 2.5 },
    );
    await expect(client.configSet('httpPort', 70_000)).rejects.toThrow('invalid value for configuration option');
    await session.lab.api({ id: member.id }, 'PATCH', '/v1/webspace/self/config', { sniPassthrough: false, httpPort: 80 });
  }, 60_000);

  it('webspace domains, add, remove', async () => {
    const domain = `www.${member.username}.example.org`;
    const own = `${member.username}.${session.lab.profile.baseDomain}`;
    expect(await client.domains()).toEqual([own]);
    await expect(client.addDomain(domain)).rejects.toThrow(domain);
    session.lab.dns.set({ [domain]: { txt: ['webspace:id:1'] } });
    await expect(client.addDomain(domain)).rejects.toThrow('verification failed');
    session.lab.dns.set({ [domain]: { txt: [`webspace:id:${member.id}`] } });
    await client.addDomain(domain);
    expect(await client.domains()).toEqual([own, domain]);
    expect((await record()).domains).toEqual([domain]);
    expect((await session.cluster.find('domain', domain))?.['spec']).toMatchObject({ webspace: member.webspace });
    await client.removeDomain(domain);
    expect(await client.domains()).toEqual([own]);
    expect(await session.cluster.has('domain', domain)).toBe(false);
    await expect(client.removeDomain(own)).rejects.toThrow('cannot remove the default domain');
    session.lab.dns.set({ [domain]: undefined });
  }, 60_000);

  it('webspace ports, add (given and random), remove', async () => {
    const given = 51_000 + CLIENTS.indexOf(name);
    expect(await client.addPort(80, given)).toBe(given);
    const random = await client.addPort(8080);
    expect(await client.ports()).toMatchObject({ [given]: 80, [random]: 8080 });
    expect((await session.cluster.find('portForward', `tcp-${random}`))?.['spec']).toMatchObject({
      webspace: member.webspace,
      internal: 8080,
    });
    await expect(client.addPort(80, given)).rejects.toThrow('used by a webspace');
    for (const port of [given, random]) await client.removePort(port);
    expect(Object.keys(await client.ports()).map(Number)).not.toContain(given);
    await expect(client.removePort(given)).rejects.toThrow('not found');
  }, 60_000);

  it('webspace sync', async () => {
    await session.cluster.removeEverything(member.webspace);
    await client.sync();
    expect(await session.cluster.has('ingressRoute', member.webspace)).toBe(true);
    expect(await session.cluster.has('domain', `${member.username}.${session.lab.profile.baseDomain}`)).toBe(true);
  }, 60_000);

  it('webspace exec: exit codes 0, 7 and 130, the terminal’s size, and without a terminal', async () => {
    expect(await client.exec(['sh', '-c', 'stty size'], { size: { width: 101, height: 33 } })).toEqual({
      output: expect.stringContaining('33 101'),
      exitCode: 0,
    });
    expect((await client.exec(['sh', '-c', 'exit 7'])).exitCode).toBe(7);
    // Typed by hand: the interrupt character.
    const interrupted = ['sh', '-c', 'trap "exit 130" INT; echo ready; while :; do sleep 0.1; done'];
    expect((await client.exec(interrupted, { typed: { after: /ready/, text: '\u0003' } })).exitCode).toBe(130);
    const simple = await client.execSimple(['echo', 'out;', 'echo', 'err', '>&2;', 'exit', '3']);
    expect(simple).toEqual({ stdout: 'out\n', stderr: 'err\n', exitCode: 3 });
  }, 60_000);

  it('webspace login: the shell of root, as getent tells it', async () => {
    const { stdout } = await client.execSimple(['getent', 'passwd', 'root']);
    const shell = stdout.trim().split(':').at(-1) || '/bin/sh';
    const { output, exitCode } = await client.exec([shell], { typed: { after: PROMPT, text: 'echo $((20 + 3)); exit 5\n' } });
    expect(output).toContain('23');
    expect(exitCode).toBe(5);
  }, 60_000);

  it('webspace console, log, log --clear', async () => {
    const output = await client.console('echo console-$((40 + 2))', /console-42/);
    expect(output).toContain('console-42');
    await waitFor('the log to have it', async () => (await client.log()).includes('console-42'), { timeoutMs: 10_000 });
    await client.clearLog();
    expect(await client.log()).not.toContain('console-42');
  }, 60_000);

  it('webspace delete', async () => {
    await client.delete();
    expect(await session.members.leftOf(member)).toEqual([]);
    await expect(client.config()).rejects.toThrow('not found');
  }, 60_000);
});
