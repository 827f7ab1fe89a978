import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { DeadlineError, waitFor } from '#lab/wait.js';
import { dialUntil } from '#libs/net/dial.js';
import { kernelHas } from '../support/ports.js';
import type { Member } from './members.js';
import type { Options } from './options.js';
import { type Line, type Report, shareReached } from './results.js';
import type { Stage } from './stage.js';
import { median, medianRatio } from './statistics.js';

const MEGABYTE = 1024 * 1024;
const BYTES = 1024 * MEGABYTE;
/** The forward leads to another port inside: with one and the same, connection tracking would have to find new source ports for those that the direct ones have just used. */
const BULK = { inside: 7001, forwarded: 7011, external: 50_401, proxy: 17_001 };
const SHORT = { inside: 7002, forwarded: 7012, external: 50_402, proxy: 17_002 };
const QUIT = 7003;
/** How many connections are being made at once. */
const LANES = 16;
/** A transfer takes a third of a second, in which two processors carry sender, kernel and receiver: one of them tells little. */
const BULK_ROUNDS = 5;
const SHARE = { bulk: 0.95, connections: 0.9 };

/** Runs in the container's network: much to each who connects, one byte, and its own end. */
const SERVER = `
const { createServer } = require('node:net');
const zeros = Buffer.alloc(${MEGABYTE});
const bulk = (socket) => {
  let left = ${BYTES / MEGABYTE};
  const more = () => { while (left-- > 0) if (!socket.write(zeros)) return; socket.end(); };
  socket.on('drain', more).on('error', () => undefined);
  more();
};
const short = (socket) => socket.on('error', () => undefined).end('.');
for (const port of [${BULK.inside}, ${BULK.forwarded}]) createServer(bulk).listen(port);
for (const port of [${SHORT.inside}, ${SHORT.forwarded}]) createServer(short).listen({ port, backlog: 4096 });
createServer(() => process.exit(0)).listen(${QUIT});
`;

type Way = 'direct' | 'forwarded' | 'proxied';
type Place = { readonly address: string; readonly port: number };

/** A forwarded port of a webspace that runs, beside its container itself and beside socat at the forward's place, in turns. */
export async function benchForward(stage: Stage, options: Options, report: Report): Promise<void> {
  const member = stage.members.fresh();
  await stage.members.ended(await stage.members.create(member));
  await stage.members.ended(await stage.members.boot(member));
  for (const { external, forwarded } of [BULK, SHORT])
    await stage.members.ended(await stage.members.ask(201, member, 'POST', `/ports/${external}/${forwarded}`));
  await kernelHas(stage.lab, member, `tcp-${BULK.external}`, `tcp-${SHORT.external}`);
  const { pid, address } = await placeOf(stage, member);
  const server = stage.lab.sandboxExec(['nsenter', '-t', String(pid), '-n', process.execPath, '-e', SERVER], { timeoutMs: 600_000 });
  const proxies = [BULK, SHORT].map(({ proxy, inside }) => startProxy(stage, proxy, { address, port: inside }));
  const { router } = stage.lab.profile.network.hostLink;
  const ways = (ports: typeof BULK): Record<Way, Place> => ({
    direct: { address, port: ports.inside },
    forwarded: { address: router, port: ports.external },
    proxied: { address: router, port: ports.proxy },
  });
  try {
    for (const place of [...Object.values(ways(BULK)), ...Object.values(ways(SHORT))]) await listens(place);
    const bulk = await inTurns(ways(BULK), options.transfers * BULK_ROUNDS, rateOf);
    report(`${BYTES / MEGABYTE} MB through one connection, per second`, lines(bulk, 'MB/s', SHARE.bulk));
    const short = await inTurns(ways(SHORT), options.transfers, (place) => connectionsTo(place, options.seconds));
    report(`connections one after the other by ${LANES} clients`, lines(short, '/s', SHARE.connections));
  } finally {
    for (const proxy of proxies) proxy.kill();
    connect(QUIT, address).on('error', () => undefined);
    await server;
    await stage.members.delete(member);
  }
}

async function placeOf(stage: Stage, { webspace }: Member): Promise<{ pid: number; address: string }> {
  const { value } = await stage.lxd.instances.get(webspace);
  const address = value.devices['eth0']?.['ipv4.address'];
  if (address === undefined) throw new Error(`${webspace} has no address`);
  const { pid } = JSON.parse(await stage.lab.lxc(['query', `/1.0/instances/${webspace}/state`])) as { pid: number };
  return { pid, address };
}

function startProxy(stage: Stage, port: number, to: Place) {
  const inside = ['nsenter', `--net=/run/netns/${stage.lab.profile.network.routerNamespace}`];
  const listen = `TCP-LISTEN:${port},fork,reuseaddr,backlog=4096`;
  const [command = '', ...args] = [...inside, 'socat', '-b', '65536', listen, `TCP:${to.address}:${to.port}`];
  return spawn(command, args, { stdio: 'ignore' });
}

async function listens({ address, port }: Place): Promise<void> {
  const open = async () => {
    const socket = await dialUntil({ address, port }, Date.now() + 1_000, new AbortController().signal);
    socket?.destroy();
    return socket !== undefined;
  };
  await waitFor(`a server at ${address}:${port}`, open, { timeoutMs: 15_000, intervalMs: 100 });
}

const WAYS = ['direct', 'forwarded', 'proxied'] as const satisfies readonly Way[];

/** One round that does not count, then so many; every other one in the opposite order. */
async function inTurns(ways: Record<Way, Place>, rounds: number, measure: (place: Place) => Promise<number>) {
  const found: Record<Way, number[]> = { direct: [], forwarded: [], proxied: [] };
  for (let round = -1; round < rounds; round++) {
    for (const way of round % 2 === 0 ? WAYS : WAYS.toReversed()) {
      // It is far away, and slow: a few rounds tell as much.
      if (way === 'proxied' && round > 0 && round % 4 !== 0) continue;
      const value = await measure(ways[way]);
      if (round >= 0) found[way].push(value);
    }
  }
  return found;
}

function lines(found: Record<Way, number[]>, unit: Line['unit'], share: number): Line[] {
  const of = (what: string, way: Way): Line => ({ what, unit, value: median(found[way]), count: found[way].length });
  const [direct, forwarded, proxied] = [
    of('straight to the container', 'direct'),
    of('through a forwarded port', 'forwarded'),
    of('through socat at the same place', 'proxied'),
  ];
  const raw = direct.value;
  return [
    direct,
    { ...forwarded, raw, ...shareReached(medianRatio(found.forwarded, found.direct), share) },
    { ...proxied, raw, ratio: proxied.value / raw },
  ];
}

/** Megabytes per second of one whole transfer. */
async function rateOf({ address, port }: Place): Promise<number> {
  const begun = performance.now();
  let bytes = 0;
  const onread = {
    buffer: Buffer.alloc(MEGABYTE),
    callback: (read: number) => {
      bytes += read;
      return true;
    },
  };
  const socket = connect({ host: address, port, onread, timeout: 60_000 });
  socket.once('timeout', () => socket.destroy(new DeadlineError(`nothing from ${address}:${port}`)));
  await once(socket, 'close');
  if (bytes !== BYTES) throw new Error(`${bytes} bytes arrived instead of ${BYTES}`);
  return bytes / MEGABYTE / ((performance.now() - begun) / 1000);
}

/** Connections per second, each until the server's byte and end have come. */
async function connectionsTo({ address, port }: Place, seconds: number): Promise<number> {
  const begun = performance.now();
  const until = begun + seconds * 1000;
  let made = 0;
  const lane = async () => {
    while (performance.now() < until) {
      const socket = connect({ host: address, port });
      let byte = '';
      socket.on('data', (data) => {
        byte += data;
      });
      await once(socket, 'close');
      if (byte !== '.') throw new Error(`a connection to ${address}:${port} brought "${byte}"`);
      made += 1;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return made / ((performance.now() - begun) / 1000);
}
