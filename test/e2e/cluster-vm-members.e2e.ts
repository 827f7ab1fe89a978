import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { buildImage, importImage } from '#lab/image.js';
import { guestFolder } from '#lab/vm/guest.js';
import { qemuFolder } from '#lab/vm/qemu.js';
import { waitFor } from '#lab/wait.js';
import { report } from '../support/lab-session.js';
import { memberOf } from '../support/lxd8s-manifests.js';
import { Lxd8sWorld } from '../support/lxd8s-world.js';
import { SLOW } from '../support/pace.js';
import { folderPool, vmStatefulSet } from '../support/vm-manifests.js';

/** What a machine without KVM needs for a heartbeat is more than LXD gives a member by itself. */
const PRESEED = folderPool('cluster.offline_threshold: 60');
const MEMBERS = [0, 1, 2].map(memberOf);
const WHOLE_MS = 1_200_000;

let world: Lxd8sWorld;

const webOf = (member: string) => `web-${member}`;
const inside = (member: string, script: string) => world.inside(member, webOf(member), script);
const since = (begun: number) => `${Math.round((Date.now() - begun) / 1000)} s, without KVM`;

async function whole(what: string): Promise<void> {
  const begun = Date.now();
  await world.whole(3, WHOLE_MS);
  report(what, since(begun));
}

async function marks(): Promise<string[]> {
  for (const member of MEMBERS) {
    const running = async () => (await world.statusOf(webOf(member), member)) === 'Running';
    await waitFor(`the container of ${member}`, running, { timeoutMs: 300_000, intervalMs: SLOW.intervalMs });
  }
  return Promise.all(MEMBERS.map((member) => inside(member, 'cat /mark')));
}

beforeAll(async () => {
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const [qemu, guest] = [await qemuFolder(say), await guestFolder(say)];
  world = await Lxd8sWorld.open(1, { pace: SLOW });
  await world.preseed(PRESEED);
  await world.apply([vmStatefulSet({ accelerator: 'tcg', qemu, guest, folder: world.folder, lan: 'none', replicas: 3 })]);
}, 600_000);
afterAll(() => world?.close(), 240_000);

describe('three members in machines of their own', () => {
  test('make one cluster', () => whole('three machines until the cluster is whole'), 1_260_000);

  test('have a container each', async () => {
    // An image goes to all members, which a cluster that was just made cannot do before they hear each other's events.
    const image = await buildImage();
    await waitFor('the image', () => importImage(world.client(memberOf(0)), image, 'hello'), {
      timeoutMs: 300_000,
      intervalMs: SLOW.intervalMs,
    });
    for (const member of MEMBERS) await world.launch(webOf(member), member);
    for (const member of MEMBERS) await inside(member, `echo ${member} > /mark`);
    expect(await marks()).toEqual(MEMBERS.map((member) => `${member}\n`));
  }, 900_000);

  test('one of them goes and comes back; the others serve meanwhile, and all containers are kept', async () => {
    const [first = '', , last = ''] = MEMBERS;
    await world.kubectl(['delete', 'pod', last, '--wait=false']);
    const gone = async () => !(await world.says(last).catch(() => undefined))?.lxd.pid;
    await waitFor(`${last} to be away`, gone, { timeoutMs: 180_000, intervalMs: 500 });
    expect(await inside(first, 'cat /mark')).toBe(`${first}\n`);
    expect(Object.keys(await world.members(first))).toHaveLength(3);
    await whole('a machine deleted until the cluster is whole');
    expect(await marks()).toEqual(MEMBERS.map((member) => `${member}\n`));
  }, 1_560_000);

  test('all of them stop in order at once, and are whole again with what they had', async () => {
    await world.kubectl(['delete', 'pod', ...MEMBERS, '--wait'], 240_000);
    await whole('all machines stopped until the cluster is whole');
    expect(await marks()).toEqual(MEMBERS.map((member) => `${member}\n`));
    expect(await world.endedByProbes()).toEqual([]);
  }, 1_800_000);
});
