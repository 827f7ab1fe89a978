import { waitFor } from '#lab/wait.js';
import { memberOf } from '../support/lxd8s-manifests.js';
import { Lxd8sWorld } from '../support/lxd8s-world.js';
import { folderPool, LAN, type VmOptions } from '../support/vm-manifests.js';
import type { Options } from './options.js';
import { memberBy, type Runtime } from './vm-members.js';

export interface Measured {
  /** Milliseconds, each. */
  readonly boots: readonly number[];
  readonly starts: readonly number[];
  readonly pages: readonly number[];
  /** MB/s of each transfer. */
  readonly bulk: readonly number[];
  /** MB; pages that processes share are counted once. */
  readonly memory: { readonly idle: number; readonly one: number };
}

const MEMBER = memberOf(0);
/** The driver that both can have: a folder. */
const PRESEED = folderPool('', `eth0: {type: nic, nictype: bridged, parent: ${LAN.bridge}, name: eth0}`);
const WHOLE_MS = 600_000;
const PAGES = 20;
const BULK_MB = { kvm: 2_000, tcg: 100 } as const;
const PORT = 9_999;
const IN_POD = {
  memory: "cat /proc/[0-9]*/smaps_rollup 2> /dev/null | awk '/^Pss:/ { sum += $2 } END { print sum }'",
  pages: `for i in $(seq ${PAGES}); do curl -s -o /dev/null -w '%{time_total}\\n' http://${LAN.container}/; done`,
  bulk: (blocks: number) => `
    lxc exec web -- sh -c 'dd if=/dev/zero bs=1048576 count=${blocks} 2> /dev/null | nc -l -p ${PORT}' &
    until exec 3<> /dev/tcp/${LAN.container}/${PORT}; do sleep 0.2; done 2> /dev/null
    begun=$(date +%s%N); wc -c <&3; echo $(($(date +%s%N) - begun))`,
} as const;

/** One member, alone on the lab's node, which is removed at the end. */
export async function measureMember(runtime: Runtime, how: Omit<VmOptions, 'lan' | 'folder'>, options: Options): Promise<Measured> {
  const world = await Lxd8sWorld.open(1, { profile: 'bench' });
  try {
    await world.preseed(PRESEED);
    await world.apply([memberBy(runtime, { ...how, folder: world.folder })]);
    await world.whole(1, WHOLE_MS);
    const memory = async () => Number(await inPod(world, IN_POD.memory)) / 1_000;
    const idle = await memory();
    const boots = await repeated(options.boots, () => boot(world));
    await world.launch('web', MEMBER);
    const starts = await repeated(options.count, () => restart(world));
    const one = await memory();
    const pages = (await pagesOf(world)).map((seconds) => seconds * 1_000);
    const bulk = await repeated(options.transfers, () => transfer(world, BULK_MB[how.accelerator]));
    return { boots, starts, pages, bulk, memory: { idle, one } };
  } finally {
    await world.close();
  }
}

async function boot(world: Lxd8sWorld): Promise<number> {
  await world.kubectl(['delete', 'pod', MEMBER, '--wait'], 180_000);
  return timed(() => world.whole(1, WHOLE_MS));
}

async function restart(world: Lxd8sWorld): Promise<number> {
  const state = (action: 'start' | 'stop') =>
    world
      .client(MEMBER)
      .request('PUT', '/1.0/instances/web/state', { body: { action, force: action === 'stop', timeout: 60 }, timeoutMs: 90_000 });
  await state('stop');
  return timed(() => state('start'));
}

async function pagesOf(world: Lxd8sWorld): Promise<number[]> {
  const network = `ip address add ${LAN.container}/24 dev eth0; ip link set eth0 up`;
  await inPod(world, `lxc exec web -- sh -c '${network}'`);
  const there = async () => (await inPod(world, `curl -s --max-time 5 -o /dev/null -w '%{http_code}' http://${LAN.container}/`)) === '200';
  await waitFor('the page of the container', () => there().catch(() => false), { timeoutMs: 60_000, intervalMs: 200 });
  return (await inPod(world, IN_POD.pages)).trim().split('\n').map(Number);
}

async function transfer(world: Lxd8sWorld, blocks: number): Promise<number> {
  const [bytes = Number.NaN, nanoseconds = Number.NaN] = (await inPod(world, IN_POD.bulk(blocks))).trim().split('\n').map(Number);
  if (bytes !== blocks * 2 ** 20) throw new Error(`${bytes} bytes have come from the container instead of ${blocks * 2 ** 20}`);
  return (bytes * 1_000) / nanoseconds;
}

function inPod(world: Lxd8sWorld, script: string): Promise<string> {
  return world.exec(MEMBER, ['bash', '-c', script]);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function repeated(times: number, work: () => Promise<number>): Promise<number[]> {
  const all: number[] = [];
  for (let time = 0; time < times; time++) all.push(await work());
  return all;
}
