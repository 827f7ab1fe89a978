import { createHash } from 'node:crypto';
import { closeSync, createReadStream, existsSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { guestFolder } from '#lab/vm/guest.js';
import { qemuFolder } from '#lab/vm/qemu.js';
import { waitFor } from '#lab/wait.js';
import { memberOf, PASSWORD } from '../support/lxd8s-manifests.js';
import { Lxd8sWorld } from '../support/lxd8s-world.js';
import { LAN, MEMORY, type VmOptions, vmStatefulSet } from '../support/vm-manifests.js';

const MEMBER = memberOf(0);
const PRESEED = `
config: {images.auto_update_interval: 0}
storage_pools:
- {name: default, driver: btrfs, config: {source: /dev/lxd-storage}}
profiles:
- name: default
  devices:
    root: {type: disk, pool: default, path: /}
    eth0: {type: nic, nictype: bridged, parent: ${LAN.bridge}, name: eth0}
`;
/** Without KVM, on a busy machine. */
const BOOT_MS = 480_000;

let world: Lxd8sWorld;
let vm: Omit<VmOptions, 'accelerator'>;

const disk = () => join(world.folderOf(MEMBER), 'disk.img');
const start = (accelerator: 'kvm' | 'tcg', machine: 'microvm' | 'q35' = 'microvm') =>
  world.apply([vmStatefulSet({ ...vm, accelerator, machine })]);
const until = (what: string, check: () => Promise<unknown>, timeoutMs: number) =>
  waitFor(what, async () => (await check()) as object | undefined, { timeoutMs, intervalMs: 500 });
const inside = (script: string) => world.inside(MEMBER, 'web', script);

/** Ended as kubelet ends it; what it said until then. */
async function deleted(): Promise<string> {
  const said = world.kubectl(['logs', MEMBER, '-c', 'member', '--follow', '--tail=-1'], 120_000);
  await world.kubectl(['delete', 'pod', MEMBER, '--wait'], 120_000);
  return said;
}

beforeAll(async () => {
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const [qemu, guest] = [await qemuFolder(say), await guestFolder(say)];
  world = await Lxd8sWorld.open(1);
  await world.preseed(PRESEED);
  vm = { qemu, guest, folder: world.folder, lan: 'bridged' };
}, 600_000);
afterAll(() => world?.close(), 240_000);

describe('a member in a machine of its own, in a pod without privileges', () => {
  test('without a KVM that works is refused, in words, and nothing else takes its place', async () => {
    await start('kvm');
    const says = async () => {
      const { phase, why } = await world.says(MEMBER);
      return phase === 'starting' && why.includes('does not run here') ? why : undefined;
    };
    const why = await waitFor('the refusal', says, { timeoutMs: 90_000, intervalMs: 500 });
    expect(why).toMatch(/^A machine by kvm does not run here: .*kvm.* Give the pod \/dev\/kvm/);
    expect(existsSync(disk())).toBe(false);
    await start('tcg');
    await world.kubectl(['delete', 'pod', MEMBER, '--wait'], 120_000);
  }, 240_000);

  test('71, 72, 73: boots, makes the cluster and what the preseed says, with no capability but NET_ADMIN', async () => {
    await world.whole(1, BOOT_MS);
    const status = await world.exec(MEMBER, ['bash', '-c', 'cat /proc/1/status; cat /proc/$(pgrep -f "[q]emu-system" | head -n 1)/status']);
    // NET_ADMIN is the bit 12 (capabilities(7)).
    expect([...status.matchAll(/^CapEff:\t(\S+)/gm)].map(([, mask]) => mask)).toEqual(['0000000000001000', '0000000000001000']);
    expect([...status.matchAll(/^(?:NoNewPrivs|Seccomp):\t(\d)/gm)].map(([, value]) => value)).toEqual(['1', '2', '1', '2']);
    const { environment } = await world.client(MEMBER).request<{ environment: { kernel_version: string } }>('GET', '/1.0');
    expect(environment.kernel_version).toMatch(/cloud-amd64$/);
  }, 540_000);

  test("74: has the share of the pod's limit that it was told", async () => {
    const { memory } = (await world.says(MEMBER)) as unknown as { memory: { limitBytes: number } };
    expect(memory.limitBytes).toBeLessThan(MEMORY.bytes);
    expect(memory.limitBytes).toBeGreaterThan(MEMORY.bytes * 0.85);
    expect(statSync(disk()).size).toBe(2 * 2 ** 30);
  });

  test("a container runs in it, and is reached on the members' network from the pod", async () => {
    await world.launch('web', MEMBER);
    await inside(`ip address add ${LAN.container}/24 dev eth0; ip link set eth0 up`);
    const page = () => world.exec(MEMBER, ['curl', '--silent', '--max-time', '5', `http://${LAN.container}/`]);
    expect(await until('the page of the container', async () => (await page()) || undefined, 60_000)).toContain('<');
    expect(await inside('echo kept > /mark && cat /mark')).toBe('kept\n');
  }, 180_000);

  test('nobody in the pod reaches its LXD by the relay without the word', async () => {
    const fromPod = await world.exec(MEMBER, [
      'bash',
      '-c',
      `exec 3<>/dev/tcp/127.0.0.1/8444; printf 'GET /1.0 HTTP/1.0\\r\\n\\r\\n' >&3; timeout 5 cat <&3 || true`,
    ]);
    expect(fromPod).toBe('');
  }, 60_000);

  test('80: its console is a login, for one at a time; who leaves without a word is logged out', async () => {
    const first = world.console(MEMBER);
    await first.login('wrong');
    await first.says(/Login incorrect/);
    await first.login(PASSWORD);
    await first.says(/# $/);
    first.type('echo "at $(hostname) $(uname -r)"');
    await first.says(new RegExp(`^at ${MEMBER} \\S+cloud-amd64`, 'm'));
    const second = world.console(MEMBER);
    await second.says(/Somebody else is at the console of this machine/);
    expect(await second.ended).toBe(1);
    first.type('echo "still $((40 + 2))"');
    await first.says(/^still 42/m);
    first.leave();
    const again = async () => {
      const third = world.console(MEMBER);
      const said = await third.says(/login: $|Somebody else/);
      if (/login: $/.test(said)) return third;
      await third.ended;
      return undefined;
    };
    const third = await waitFor('the console to be free', again, { timeoutMs: 60_000, intervalMs: 500 });
    third.type('root');
    await third.says(/Password: $/);
    third.type(PASSWORD);
    await third.says(/# $/);
    third.type('exit');
    expect(await third.ended).toBe(0);
  }, 240_000);

  test('78: SIGTERM stops container and machine in order, and all is there again after the next start', async () => {
    const { ino } = statSync(disk());
    const begun = Date.now();
    const said = await deleted();
    expect(said).toMatch(/lxd8s: \S+ the power button[\s\S]*lxd8s: \S+ off/);
    expect(said).not.toContain('has not switched itself off in time');
    expect(said).not.toContain('containers that have not ended in time');
    expect(Date.now() - begun).toBeLessThan(90_000);
    await world.whole(1, BOOT_MS);
    expect(statSync(disk()).ino).toBe(ino);
    await until('the container', async () => (await world.statusOf('web')) === 'Running', 60_000);
    expect(await inside('cat /mark')).toBe('kept\n');
  }, 720_000);

  test('75: a disk that is broken is left as it is, and said; with the disk whole again it goes on, in the same pod', async () => {
    await world.kubectl(['scale', 'statefulset', 'lxd', '--replicas=0']);
    await until('the end of the pod', async () => (await world.pod(MEMBER)) === undefined, 120_000);
    const before = overwrite(Buffer.alloc(2 ** 20, 0x5a));
    const broken = await digest();
    await world.kubectl(['scale', 'statefulset', 'lxd', '--replicas=1']);
    const phase = async () => {
      const { phase: at, why, waits } = await world.says(MEMBER);
      return at === 'volumes' && why.includes('is left as it is') ? waits : undefined;
    };
    expect(await waitFor('the volume to be refused', phase, { timeoutMs: BOOT_MS, intervalMs: 500 })).toBe(true);
    expect(await digest()).toBe(broken);
    const pod = (await world.pod(MEMBER))?.metadata.uid;
    overwrite(before);
    await world.whole(1, BOOT_MS);
    expect((await world.pod(MEMBER))?.metadata.uid).toBe(pod);
    expect(await world.endedByProbes()).toEqual([]);
  }, 1_200_000);

  test('runs as q35, too, with the same disks', async () => {
    await start('tcg', 'q35');
    const said = await deleted();
    expect(said).toContain('the power button');
    await world.whole(1, BOOT_MS);
    expect(await world.logs(MEMBER)).toContain('"machine":"q35"');
    await until('the container', async () => (await world.statusOf('web')) === 'Running', 60_000);
    expect(await inside('cat /mark')).toBe('kept\n');
  }, 720_000);
});

/** Gives back what was there. */
function overwrite(bytes: Buffer): Buffer {
  const file = openSync(disk(), 'r+');
  try {
    const before = Buffer.alloc(bytes.length);
    readSync(file, before, 0, before.length, 0);
    writeSync(file, bytes, 0, bytes.length, 0);
    return before;
  } finally {
    closeSync(file);
  }
}

/** Of its first part, where all is that a file system is known by. */
async function digest(): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(disk(), { end: 64 * 2 ** 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
