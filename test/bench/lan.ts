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
/** Resident size of the original, a program in Go. */
const ORIGINAL_MB = 30;

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

/** kubelan with 1 000 peers, its memory, and one connection across the LAN, in tunnels or not, beside one across the bare underlay, in turns. */
export async function benchLan(stage: Stage, options: Options, report: Report): Promise<void> {
  const world = await LanWorld.open(stage.lab);
  try {
    const [one, other] = [await world.place(), await world.place()];
    await world.slice(SERVICE, `${SERVICE}-0`, [one.underlay, other.underlay]);
    const settings = (address: string) => ({ lan: { services: [SERVICE] }, addresses: [`${address}/16`] });
    await Promise.all([one.start(settings(A)), other.start(settings(B))]);
    await peersAre(one, 1);
    const plain = await throughput(one, other, { what: 'across the LAN', rounds: options.transfers * ROUNDS, share: SHARE });
    const tunnels = await inTunnels(world, options.transfers);
    report(`one connection across the LAN, ${MEGABYTES} MB`, [plain, tunnels]);
    report(`a Service with ${PEERS} addresses`, await peers(world, one, options.transfers));
  } finally {
    await world.close();
  }
}

function peersAre(place: Place, count: number): Promise<unknown> {
  return waitFor(`${count} peers`, async () => (await place.peers()).length === count, { timeoutMs: 60_000, intervalMs: 5 });
}

/** Between two other members. */
async function inTunnels(world: LanWorld, rounds: number): Promise<Line> {
  const [one, other] = [await world.place(), await world.place()];
  const service = `${SERVICE}-tunnels`;
  await world.slice(service, `${service}-0`, [one.underlay, other.underlay]);
  // The sockets of wireguard-go are files of this machine, whatever the namespace.
  const settings = (place: Place, address: string) => ({
    lan: { services: [service], encryption: 'wireguard' },
    wireguard: { interface: place.namespace.replace('wslan', 'wg') },
    addresses: [`${address}/16`],
    resyncSeconds: 1,
  });
  await Promise.all([one.start(settings(one, A)), other.start(settings(other, B))]);
  await waitFor('the tunnel', async () => (await one.try(['ping', '-c', '1', '-W', '1', B])).exitCode === 0, { timeoutMs: 60_000 });
  const kernel = (await one.exec(['ip', '-d', 'link', 'show', settings(one, A).wireguard.interface])).includes('wireguard');
  const line = await throughput(one, other, { what: 'the same in tunnels', rounds });
  await Promise.all([one.end(), other.end()]);
  return { ...line, note: kernel ? "the kernel's WireGuard" : 'wireguard-go' };
}

interface Throughput {
  readonly what: string;
  readonly rounds: number;
  /** Of the bare underlay's, that it must be at least. */
  readonly share?: number;
}

async function throughput(client: Place, server: Place, { what, rounds, share }: Throughput): Promise<Line> {
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
    const verdict = share === undefined ? { ratio } : atLeastShare({ value: ratio, raw: 1, share });
    return { what, value: median(lan), unit: 'MB/s', count: rounds, ...verdict, raw: median(bare) };
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
    beside('memory with two peers', memory[0] ?? 0),
    beside(`memory with ${PEERS} peers, the most`, Math.max(...memory)),
    beside('memory of Node alone', await memoryOfNode()),
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

function beside(what: string, value: number): Line {
  return { what, value, unit: 'MB', raw: ORIGINAL_MB, ratio: value / ORIGINAL_MB };
}

async function memoryOfNode(): Promise<number> {
  const node = spawn(process.execPath, ['-e', 'console.log("runs"); setInterval(() => undefined, 1e6)'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(node.stdout, 'data');
    return memoryOf({ pid: node.pid ?? 0 });
  } finally {
    node.kill('SIGKILL');
  }
}

function memoryOf({ pid }: { readonly pid: number }): number {
  const [, kilobytes = ''] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}
