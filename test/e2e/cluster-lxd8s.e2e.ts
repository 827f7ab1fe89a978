import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isReady, type Pod } from '#lab/cluster/kube.js';
import { filesBelow, hashFiles } from '#lab/hash.js';
import { waitFor } from '#lab/wait.js';
import { membersShortOfMemory } from '#libs/domain/memory.js';
import { fingerprintAt } from '../support/fingerprint-at.js';
import { times } from '../support/lab-session.js';
import { memberOf, PASSWORD, STORAGE } from '../support/lxd8s-manifests.js';
import { Lxd8sWorld } from '../support/lxd8s-world.js';

const MEMBERS = times({ short: 3, full: 4 });
const LAST = memberOf(MEMBERS - 1);
const NAMES = Array.from({ length: MEMBERS }, (_, number) => memberOf(number));
const PRESEED = (memory: string, more = '') => `
config: {images.auto_update_interval: 0}
projects:
- {name: second, description: Another one, config: {features.images: false}}
storage_pools:
- {name: default, driver: dir}
networks:
- {name: lxdbr0, config: {ipv4.address: 10.88.0.1/24, ipv4.nat: true, ipv6.address: none}}
profiles:
- name: default
  config: {limits.memory: ${memory}, security.nesting: true}
  devices:
    root: {type: disk, pool: default, path: /}
    eth0: {type: nic, network: lxdbr0, name: eth0}
- {name: small, description: Little, config: {limits.cpu: 1}}
${more}`;

interface Profile {
  readonly description: string;
  readonly config: Readonly<Record<string, string>>;
  readonly devices: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

let world: Lxd8sWorld;
let first: string;

beforeAll(async () => {
  world = await Lxd8sWorld.open(MEMBERS, { second: 'storage' });
  await world.preseed(PRESEED('64MiB'));
  first = (await world.certificate('first')).cert;
  await world.volumes(MEMBERS + 1);
}, 600_000);
afterAll(() => world?.close(), 240_000);

const profile = (name: string, by = memberOf(0)) => world.client(by).request<Profile>('GET', `/1.0/profiles/${name}`);
const fingerprint = (pem: string) => new X509Certificate(pem).fingerprint256;

const gone = (member: string) =>
  waitFor(`the end of ${member}`, async () => (await world.pod(member)) === undefined, { timeoutMs: 60_000 });

/** Of a volume, without what a process leaves at its end. */
const contentOf = (folder: string) => filesBelow(folder, (name) => !name.includes('socket'));

/** Of the certificate that the member's LXD shows. */
const shown = async (member: string) => fingerprintAt((await world.pod(member))?.status.podIP ?? '');

describe('a cluster of LXD under apps/lxd8s/member', () => {
  test('72, 73, 76: the first member makes the cluster, with all that the preseed says, and shows the certificate of the Secret', async () => {
    await world.scale({ replicas: 1 });
    await world.whole(1);
    expect((await world.record())?.['phase']).toBe('formed');
    const { config, devices } = await profile('default');
    expect(config).toMatchObject({ 'limits.memory': '64MiB', 'security.nesting': 'true' });
    expect(Object.keys(devices).sort()).toEqual(['eth0', 'root']);
    expect(await profile('small')).toMatchObject({ description: 'Little', config: { 'limits.cpu': '1' } });
    expect(await world.client(memberOf(0)).exists('/1.0/projects/second')).toBe(true);
    expect(await shown(memberOf(0))).toBe(fingerprint(first));
  }, 180_000);

  test('80: the console of a member is a login', async () => {
    const visitor = world.console(memberOf(0));
    await visitor.login('wrong');
    await visitor.says(/Login incorrect/);
    await visitor.login(PASSWORD);
    await visitor.says(/# $/);
    visitor.type('echo "at $(hostname)"; exit');
    await visitor.says(new RegExp(`^at ${memberOf(0)}`, 'm'));
    expect(await visitor.ended).toBe(0);
  }, 120_000);

  test('72, 82: three members join by tokens, with full counts a fourth; one more finds no node, and stays pending', async () => {
    for (const replicas of new Set([3, MEMBERS])) {
      await world.scale({ replicas });
      await world.whole(replicas);
    }
    // Each said that it was in: nobody's turn is left to run out.
    expect(Object.keys((await world.record()) ?? {})).not.toContain('joining.member');
    for (const name of NAMES) expect((await profile('small', name)).description).toBe('Little');
    await world.scale({ replicas: MEMBERS + 1 });
    const pending = async () =>
      (await world.pod(memberOf(MEMBERS)))?.status.conditions?.some(({ type, status }) => type === 'PodScheduled' && status === 'False');
    await waitFor('it to be refused by the scheduler', pending, { timeoutMs: 30_000 });
    await world.scale({ replicas: MEMBERS });
    await gone(memberOf(MEMBERS));
    await world.whole(MEMBERS);
  }, 300_000);

  test('73: a changed preseed is applied by difference: lists, what it no longer has, and nothing that others set', async () => {
    const lxd = world.client(memberOf(1));
    await lxd.request('PATCH', '/1.0/profiles/default', { body: { config: { 'limits.processes': '77' } } });
    const changed = PRESEED('96MiB', '- {name: added, config: {limits.cpu: 2}, devices: {eth9: {type: none}}}')
      .replace(', security.nesting: true', '')
      .replace(/ {4}eth0: .*\n/, '')
      .replace(/- \{name: small.*\n/, '');
    await world.preseed(changed);
    await waitFor('the profile that was added', () => lxd.exists('/1.0/profiles/added'), { timeoutMs: 120_000, intervalMs: 500 });
    await waitFor('the other changes', async () => (await profile('default')).config['limits.memory'] === '96MiB', { timeoutMs: 20_000 });
    const { config, devices } = await profile('default');
    expect(config).toMatchObject({ 'limits.memory': '96MiB', 'limits.processes': '77' });
    expect(config).not.toHaveProperty('security.nesting');
    expect(Object.keys(devices)).toEqual(['root']);
    // What an instance may still need is not taken away, and said.
    expect(await profile('small')).toMatchObject({ config: { 'limits.cpu': '1' } });
    const said = await waitFor(
      'what is left over to be said',
      async () => {
        const { preseed } = await world.says(memberOf(0));
        return preseed?.leftovers.length ? preseed : undefined;
      },
      { timeoutMs: 20_000 },
    );
    expect(said).toMatchObject({ leftovers: ['profile small'], problems: [] });
  }, 240_000);

  test('76: a rotated certificate is in the record before it is shown, and then shown by every member without a restart', async () => {
    const starts = await Promise.all(NAMES.map(async (name) => (await world.says(name)).lxd.starts));
    const second = (await world.certificate('second')).cert;
    const announced = async () => (await world.record())?.['certificates.pem']?.includes(second.trim());
    await waitFor('the new certificate in the record', announced, { timeoutMs: 150_000, intervalMs: 200 });
    expect(await shown(LAST)).toBe(fingerprint(first));
    for (const member of NAMES) {
      await waitFor(`the new certificate of ${member}`, async () => (await shown(member)) === fingerprint(second), { timeoutMs: 30_000 });
    }
    await waitFor('the old one to leave the record', async () => (await world.record())?.['certificates.pem']?.trim() === second.trim(), {
      timeoutMs: 20_000,
    });
    expect(await Promise.all(NAMES.map(async (name) => (await world.says(name)).lxd.starts))).toEqual(starts);
    await world.whole(MEMBERS);
  }, 300_000);

  test('an LXD that is killed leaves its containers running, is started again, and that is said', async () => {
    const member = memberOf(1);
    await world.launch('stays', member);
    const monitor = () => world.exec(member, ['pgrep', '-f', 'lxc monitor.*stays']);
    const [pid, { lxd }] = await Promise.all([monitor(), world.says(member)]);
    await world.exec(member, ['kill', '-KILL', String(lxd.pid)]);
    await waitFor('LXD to be started again', async () => (await world.says(member)).lxd.starts === lxd.starts + 1, { timeoutMs: 20_000 });
    await world.whole(MEMBERS);
    expect(await monitor()).toBe(pid);
    expect(await world.logs(member)).toContain('LXD has ended by itself');
  }, 120_000);

  test('78: a pod that is deleted stops its containers cleanly within its grace period, and they run again', async () => {
    const member = memberOf(1);
    // What its first process writes when it is asked to power off, and has ended by itself.
    await world.launch('tidy', member);
    const leavesAWord = "sed -i \"s/trap 'exit 0' PWR/trap 'date > \\/root\\/stopped; exit 0' PWR/\" /sbin/init";
    await world.inside(member, 'tidy', leavesAWord);
    await world.exec(member, ['lxc', 'restart', 'tidy', '--timeout', '10']);
    await world.launch('stubborn', member, { init: 'ignores-shutdown', config: { 'boot.host_shutdown_timeout': '300' } });
    const before = (await world.pod(member))?.metadata.uid;
    const begun = Date.now();
    await world.kubectl(['delete', 'pod', member, '--wait'], 60_000);
    expect(Date.now() - begun).toBeLessThan(22_000);
    await waitFor('a new pod', async () => (await world.pod(member))?.metadata.uid !== before, { timeoutMs: 30_000 });
    await world.whole(MEMBERS);
    await waitFor('its containers to run again', async () => (await world.statusOf('tidy')) === 'Running', { timeoutMs: 60_000 });
    expect(await world.exec(member, ['lxc', 'exec', 'tidy', '--', 'cat', '/root/stopped'])).toMatch(/\d{4}/);
    await world.client(member).request('PUT', '/1.0/instances/stubborn/state', { body: { action: 'stop', force: true } });
  }, 240_000);

  test('78: a container that LXD has as stopped, since it could not put it down as running any more, runs again', async () => {
    const note = join(world.folderOf(LAST), '.webspaces-running.json');
    const state = (action: string) => world.client(LAST).request('PUT', '/1.0/instances/late/state', { body: { action, force: true } });
    await world.launch('late', LAST);
    await state('stop');
    await world.scale({ replicas: MEMBERS - 1 });
    await gone(LAST);
    // As it is left when the database loses its majority between LXD's two entries.
    writeFileSync(note, JSON.stringify(['late']));
    await world.scale({ replicas: MEMBERS });
    await world.whole(MEMBERS);
    await waitFor('it to run again', async () => (await world.statusOf('late')) === 'Running', { timeoutMs: 60_000 });
    expect(await world.logs(LAST)).toContain('started again: it ran when the member was stopped');
    await waitFor('the note to be gone', () => !existsSync(note), { timeoutMs: 10_000 });
    await state('stop');
    await world.client(LAST).request('DELETE', '/1.0/instances/late');
  }, 240_000);

  test('75: with a broken volume the others serve; the member says what is wrong, is not ended for it, changes nothing, and goes on when it is mended', async () => {
    const folder = world.folderOf(LAST);
    const marker = join(folder, '.webspaces-volume.json');
    const kept = readFileSync(marker, 'utf8');
    await world.scale({ replicas: MEMBERS - 1 });
    await gone(LAST);
    // As after a repair of the file system that mixed up its files.
    writeFileSync(marker, 'garbage');
    const before = hashFiles(contentOf(folder));
    await world.scale({ replicas: MEMBERS });
    expect(await world.saysOf(LAST, /is left as it is/)).toMatchObject({ phase: 'volumes', waits: true });
    // The time after which an LXD that is silent counts as dead, and what liveness needs for its three failures.
    const until = Date.now() + 25_000;
    await waitFor('that time to pass', () => Date.now() > until, { timeoutMs: 40_000 });
    expect(await world.endedByProbes()).toEqual([]);
    expect(hashFiles(contentOf(folder))).toBe(before);
    expect(isReady((await world.pod(LAST)) as Pod)).toBe(false);
    expect(await world.statusOf('stays')).toBe('Running');
    await world.launch('meanwhile', memberOf(0));
    writeFileSync(marker, kept);
    await world.whole(MEMBERS);
  }, 300_000);

  test('75: a member that has lost its volume says what would be given up, waits for an admin, and joins anew then', async () => {
    const folder = world.folderOf(LAST);
    await world.launch('lost', LAST);
    await world.scale({ replicas: MEMBERS - 1 });
    await gone(LAST);
    renameSync(folder, `${folder}.gone`);
    await world.volumes(MEMBERS);
    await world.scale({ replicas: MEMBERS });
    const said = await world.saysOf(LAST, /rejoin/);
    expect(said).toMatchObject({ phase: 'entering', waits: true, why: expect.stringContaining('1 instance is on it: lost') });
    await world.kubectl(['patch', 'configmap', 'lxd-cluster', '--type', 'merge', '-p', JSON.stringify({ data: { rejoin: LAST } })]);
    await world.whole(MEMBERS);
    expect(await world.record()).not.toHaveProperty('rejoin');
    expect(await world.client(memberOf(0)).exists('/1.0/instances/lost')).toBe(false);
    expect(await world.statusOf('stays')).toBe('Running');
  }, 300_000);

  test('77: after a power cut of all nodes the cluster is whole again by itself, what ran runs again, and no probe has ended anything', async () => {
    for (let round = 0; round < times({ short: 1, full: 10 }); round += 1) {
      await world.powerCut();
      await world.whole(MEMBERS, 180_000);
      for (const name of ['stays', 'tidy']) {
        await waitFor(`${name} to run again`, async () => (await world.statusOf(name)) === 'Running', {
          timeoutMs: 60_000,
          intervalMs: 500,
        });
      }
    }
    expect(await world.endedByProbes()).toEqual([]);
  }, 2_400_000);

  test('73: a pool whose source is a folder of the second volume is made in it on every member, once each of them can, and containers are in it', async () => {
    const pool = `- {name: large, driver: dir, config: {source: ${STORAGE}/large}}`;
    const problems = async () => (await world.says(memberOf(0))).preseed?.problems ?? [];
    const folder = join(world.storageOf(LAST), 'large');
    const inTheWay = join(folder, 'in-the-way');
    mkdirSync(folder);
    writeFileSync(inTheWay, '');
    await world.preseed(PRESEED('96MiB').replace('- {name: default, driver: dir}', `$&\n${pool}`));
    const refused = async () => (await problems()).some((problem) => /storage pool large: .*(not|isn't) empty/.test(problem));
    await waitFor('the last one to refuse it', refused, { timeoutMs: 60_000, intervalMs: 500 });
    rmSync(inTheWay);
    const made = async () => {
      const { status } = await world.client(LAST).request<{ status: string }>('GET', '/1.0/storage-pools/large');
      if (status !== 'Created') throw new Error(`${status}: ${await problems()}`);
      return true;
    };
    await waitFor('the pool', made, { timeoutMs: 120_000, intervalMs: 500 });
    await world.launch('roomy', LAST, { devices: { root: { type: 'disk', pool: 'large', path: '/' } } });
    expect(existsSync(join(folder, 'containers', 'roomy', 'rootfs'))).toBe(true);
    await world.whole(MEMBERS);
    expect(await problems()).toEqual([]);
  }, 240_000);

  test('79: a member whose memory is short says so in LXD, where the worker reads it', async () => {
    const short = async () => {
      const { config } = await world.client(memberOf(1)).request<{ config: Record<string, string> }>('GET', '/1.0');
      return membersShortOfMemory(config, Date.now());
    };
    // One that was started anew says so at its second look.
    await waitFor('all to say so', async () => (await short()).length === MEMBERS, { timeoutMs: 90_000, intervalMs: 500 });
    expect(await short()).toEqual(NAMES);
  }, 120_000);

  test('nobody but a pod of the StatefulSet gets a token', async () => {
    const script = (token: string) =>
      `TOKEN=$(${token}); curl -sk -m 10 -X POST -H "Authorization: Bearer $TOKEN" -d '{"volume":"x"}' https://lxd-0.lxd.members.svc.cluster.local:9799/join`;
    const ask = async (token: string) =>
      JSON.parse(await world.exec(memberOf(1), ['sh', '-c', script(token)])) as { message?: string; token?: string };
    expect(await ask('echo nonsense')).toEqual({ message: expect.stringContaining('does not know this token') });
    // The pod's own credential for Kubernetes is for another audience.
    expect(await ask('cat /var/run/secrets/kubernetes.io/serviceaccount/token')).toEqual({
      message: expect.stringContaining('does not know this token'),
    });
    const stranger = (await world.kubectl(['create', 'token', 'webspaces-lxd8s', '--audience', 'webspaces-lxd8s'])).trim();
    expect(await ask(`echo ${stranger}`)).toEqual({ message: expect.stringContaining('is no member of lxd') });
    // A member that the cluster has, on another volume than it had.
    expect(await ask('cat /var/run/secrets/webspaces-lxd8s/token')).toEqual({
      message: expect.stringContaining('The cluster has a member lxd-1'),
    });
  }, 60_000);
});
