import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { IMAGES } from '#lab/cluster/images.js';
import { projectRoot } from '#lab/project.js';
import { guestFolder } from '#lab/vm/guest.js';
import { qemuFolder } from '#lab/vm/qemu.js';
import { waitFor } from '#lab/wait.js';
import { Upgrades } from '../support/cluster-upgrades.js';
import { report } from '../support/lab-session.js';
import { memberOf } from '../support/lxd8s-manifests.js';
import { Lxd8sWorld } from '../support/lxd8s-world.js';
import { vmStatefulSet } from '../support/vm-manifests.js';

const MEMBER = memberOf(0);
const PRESEED = `
config: {images.auto_update_interval: 0}
storage_pools:
- {name: default, driver: btrfs, config: {source: /dev/lxd-storage}}
profiles:
- name: default
  devices:
    root: {type: disk, pool: default, path: /}
`;
const ALONE = [process.execPath, join(projectRoot(), 'dist', 'apps', 'lxd8s', 'member', 'alone', 'main.js')];
/** Without KVM. */
const BOOT_MS = 300_000;

let world: Lxd8sWorld;

beforeAll(async () => {
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const [qemu, guest] = [await qemuFolder(say), await guestFolder(say)];
  world = await Lxd8sWorld.open(1, { apps: 'all' });
  await world.preseed(PRESEED);
  await world.apply([vmStatefulSet({ accelerator: 'tcg', qemu, guest, folder: world.folder, lan: 'none' })]);
  await world.whole(1, BOOT_MS);
  await world.manage({ aloneCommand: ALONE });
}, 960_000);
afterAll(() => world?.close(), 240_000);

const inside = (script: string) => world.inside(MEMBER, 'web', script);
const image = async () => (await world.kubectl(['get', 'pod', MEMBER, '-o', 'jsonpath={.spec.containers[0].image}'])).trim();
const throwAways = async () =>
  (await world.kubectl(['get', 'pods', '-o', 'name'])).split('\n').filter((name) => /-(probe|pull|place)-/.test(name));

describe('upgradeLxd8s, of a member in a machine of its own', () => {
  test('reads the versions in a machine of the new image, replaces the member, and leaves its disk and its container as they were', async () => {
    await world.launch('web', MEMBER);
    expect(await inside('echo kept > /mark && cat /mark')).toBe('kept\n');
    const [{ ino }, before] = [statSync(join(world.folderOf(MEMBER), 'disk.img')), (await world.pod(MEMBER))?.metadata.uid];
    const upgrades = new Upgrades({ lab: world.lab, agreed: (timeoutMs) => world.whole(1, timeoutMs) });
    const begun = Date.now();
    const id = await upgrades.begin({ image: IMAGES.lxdNext });
    await upgrades.approve(id);
    await upgrades.reaches(id, 'finished');
    report('upgrade of one member', `${Math.round((Date.now() - begun) / 1000)} s, without KVM`);
    const { members, steps } = await upgrades.report(id);
    expect(steps.every(({ state }) => state === 'done')).toBe(true);
    expect(members.map(({ member, away }) => [member, away.length])).toEqual([[MEMBER, 1]]);
    await world.whole(1, BOOT_MS);
    expect((await world.pod(MEMBER))?.metadata.uid).not.toBe(before);
    expect(await image()).toBe(IMAGES.lxdNext);
    expect(statSync(join(world.folderOf(MEMBER), 'disk.img')).ino).toBe(ino);
    await waitFor('its container', async () => (await world.statusOf('web')) === 'Running', { timeoutMs: 120_000, intervalMs: 500 });
    expect(await inside('cat /mark')).toBe('kept\n');
    expect(await throwAways()).toEqual([]);
    expect(await world.endedByProbes()).toEqual([]);
  }, 900_000);
});
