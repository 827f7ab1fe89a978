import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { guestFolder } from '#lab/vm/guest.js';
import { qemuFolder } from '#lab/vm/qemu.js';
import { waitFor } from '#lab/wait.js';
import { report } from '../support/lab-session.js';
import { memberOf } from '../support/lxd8s-manifests.js';
import { Lxd8sWorld } from '../support/lxd8s-world.js';
import { type VmOptions, vmStatefulSet } from '../support/vm-manifests.js';

const MEMBERS = 3;
const NAMES = Array.from({ length: MEMBERS }, (_, number) => memberOf(number));
const PRESEED = `
config: {images.auto_update_interval: 0}
storage_pools:
- {name: default, driver: btrfs, config: {source: /dev/lxd-storage}}
profiles:
- name: default
  devices:
    root: {type: disk, pool: default, path: /}
`;
/** Of machines without KVM, on two processors. */
const BOOT_MS = 300_000;
const JOINED_MS = 600_000;

let world: Lxd8sWorld;
let vm: VmOptions;

const members = (replicas: number) => world.apply([vmStatefulSet({ ...vm, replicas })]);

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const begun = Date.now();
  await work();
  report(what, `${Math.round((Date.now() - begun) / 1000)} s, without KVM`);
}

beforeAll(async () => {
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const [qemu, guest] = [await qemuFolder(say), await guestFolder(say)];
  world = await Lxd8sWorld.open(1);
  await world.preseed(PRESEED);
  vm = { accelerator: 'tcg', qemu, guest, folder: world.folder, lan: 'none' };
}, 600_000);
afterAll(() => world?.close(), 240_000);

describe('a cluster of LXD whose members are machines, in pods without any capability', () => {
  test('72: grows from one member to three', async () => {
    await members(1);
    await timed('one member', () => world.whole(1, BOOT_MS));
    await members(MEMBERS);
    await timed('two more', () => world.whole(MEMBERS, JOINED_MS));
    const status = await world.exec(memberOf(1), ['cat', '/proc/1/status']);
    expect(/^CapEff:\t(\S+)/m.exec(status)?.[1]).toBe('0000000000000000');
  }, 960_000);

  test('has containers on each, which any member reaches', async () => {
    for (const [at, member] of NAMES.entries()) await timed(`container on ${member}`, () => world.launch(`web-${at}`, member));
    for (const at of NAMES.keys()) expect(await world.inside(memberOf(0), `web-${at}`, `echo ${at} > /mark && cat /mark`)).toBe(`${at}\n`);
  }, 480_000);

  test('72, 78: goes on while one of them is away, which comes back with its container', async () => {
    const [stays = '', goes = ''] = NAMES;
    const before = (await world.pod(goes))?.metadata.uid;
    await world.kubectl(['delete', 'pod', goes, '--wait=false']);
    await waitFor('LXD to miss it', async () => (await world.members(stays))[goes] === 'Offline', {
      timeoutMs: 180_000,
      intervalMs: 1_000,
    });
    expect(await world.statusOf('web-0', stays)).toBe('Running');
    await waitFor('a new pod', async () => (await world.pod(goes))?.metadata.uid !== before, { timeoutMs: 120_000, intervalMs: 500 });
    await timed('one member again', () => world.whole(MEMBERS, JOINED_MS));
    await waitFor('its container', async () => (await world.statusOf('web-1', stays)) === 'Running', {
      timeoutMs: 120_000,
      intervalMs: 1_000,
    });
    expect(await world.inside(stays, 'web-1', 'cat /mark')).toBe('1\n');
    expect(await world.endedByProbes()).toEqual([]);
  }, 900_000);
});
