import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { waitFor } from '#lab/wait.js';
import type { Place } from '../support/lan-place.js';
import { LanWorld } from '../support/lan-world.js';
import type { Options } from './options.js';
import { atLeastShare, type Line, type Report } from './results.js';
import type { Stage } from './stage.js';
import { median, medianRatio } from './statistics.js';

const [A, B] = ['172.24.0.1', '172.24.0.2'] as const;
const SERVICE = 'lan-bench';
const PEERS = 1_000;
const IN_ONE_SLICE = 100;
const PORT = 7100;
const MEGABYTES = 1024;
const ROUNDS = 5;
const SHARE = 0.8;
const RECONCILED_MS = 1_000;

/** Sends so many megabytes to each who connects. */
const SERVER = `
const zeros = Buffer.alloc(2 ** 20);
require('node:net').createServer((socket) => {
  let left = ${MEGABYTES};
  const more = () => { while (left-- > 0) if (!socket.write(zeros)) return; socket.end(); };
  socket.on('drain', more).on('error', () => undefined);
  more();
}).listen(${PORT}, () => console.log('listens'));
`;

/** Prints how many megabytes a second came from the address. */
const CLIENT = `
const begun = performance.now();
let bytes = 0;
require('node:net').connect(${PORT}, process.argv[1]).on('data', (chunk) => { bytes += chunk.length; })
  .on('end', () => console.log(bytes / 2 ** 20 / ((performance.now() - begun) / 1000)));
`;

/** kubelan with 1 000 peers, its memory, and one connection across the LAN beside one across the bare underlay, in turns. */
export async function benchLan(stage: Stage, options: Options, report: Report): Promise<void> {
  const world = await LanWorld.open(stage.lab);
  try {
    const [one, other] = [await world.place(), await world.place()];
    await world.slice(SERVICE, `${SERVICE}-0`, [one.underlay, other.underlay]);
    const settings = (address: string) => ({ lan: { services: [SERVICE] }, addresses: [`${address}/16`] });
    await Promise.all([one.start(settings(A)), other.start(settings(B))]);
    await peersAre(one, 1);
    report(`one connection across the LAN, ${MEGABYTES} MB`, [await throughput(one, other, options.transfers * ROUNDS)]);
    report(`a Service with ${PEERS} addresses`, await peers(world, one, options.transfers));
  } finally {
    await world.close();
  }
}

function peersAre(place: Place, count: number): Promise<unknown> {
  return waitFor(`${count} peers`, async () => (await place.peers()).length === count, { timeoutMs: 60_000, intervalMs: 5 });
}

async function throughput(client: Place, server: Place, rounds: number): Promise<Line> {
  const serving = spawn('ip', ['netns', 'exec', server.namespace, process.execPath, '-e', SERVER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(serving.stdout, 'data');
    const [lan, bare]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      for (const [address, rates] of [[B, lan] as const, [server.underlay, bare] as const]) {
        rates.push(Number(await client.exec([process.execPath, '-e', CLIENT, address])));
      }
    }
    const ratio = medianRatio(lan, bare);
    const share = atLeastShare({ value: ratio, raw: 1, share: SHARE });
    return { what: 'across the LAN', value: median(lan), unit: 'MB/s', count: rounds, ...share, raw: median(bare) };
  } finally {
    serving.kill('SIGKILL');
  }
}

/** Beside the same number of entries written by one `bridge` that is told all of them. */
async function peers(world: LanWorld, place: Place, rounds: number): Promise<Line[]> {
  const memory = [memoryOf(place)];
  const [come, gone, byHand]: [number[], number[], number[]] = [[], [], []];
  const addresses = Array.from({ length: PEERS }, (_, at) => `10.99.${Math.floor(at / 250)}.${(at % 250) + 1}`);
  const slices = Array.from({ length: PEERS / IN_ONE_SLICE }, (_, at) => addresses.slice(at * IN_ONE_SLICE, (at + 1) * IN_ONE_SLICE));
  for (let round = 0; round < rounds; round++) {
    await Promise.all(slices.map((some, at) => world.slice(SERVICE, `${SERVICE}-many-${at}`, some)));
    come.push(await took(() => peersAre(place, PEERS + 1)));
    memory.push(memoryOf(place));
    await Promise.all(slices.map((_, at) => world.removeSlice(`${SERVICE}-many-${at}`)));
    gone.push(await took(() => peersAre(place, 1)));
    byHand.push(await entriesByHand(place, addresses));
  }
  const target = { target: `< ${RECONCILED_MS} ms` };
  const line = (what: string, values: readonly number[]): Line => ({
    ...{ what, value: median(values), unit: 'ms', count: rounds, raw: median(byHand), ratio: medianRatio(values, byHand) },
    ...{ ...target, met: median(values) < RECONCILED_MS },
  });
  return [
    line('in the kernel after the last slice was written', come),
    line('out of it after the last slice was removed', gone),
    { what: 'memory with two peers', value: memory[0] ?? 0, unit: 'MB' },
    { what: `memory with ${PEERS} peers, the most`, value: Math.max(...memory), unit: 'MB' },
  ];
}

async function entriesByHand(place: Place, addresses: readonly string[]): Promise<number> {
  await place.exec(['ip', 'link', 'add', 'by-hand', 'type', 'vxlan', 'id', '99', 'local', place.underlay, 'dstport', '4999']);
  try {
    const lines = addresses.map((address) => `fdb append 00:00:00:00:00:00 dev by-hand dst ${address} self permanent\n`);
    return await took(() => place.exec(['bridge', '-batch', '-'], lines.join('')));
  } finally {
    await place.exec(['ip', 'link', 'del', 'by-hand']);
  }
}

async function took(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

function memoryOf({ pid }: Place): number {
  const [, kilobytes = ''] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}
