import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { run } from '#lab/exec.js';
import { DeadlineError, waitFor } from '#lab/wait.js';
import { dialUntil } from '#libs/net/dial.js';
import { kernelHas } from '../support/ports.js';
import type { Member } from './members.js';
import type { Options } from './options.js';
import { firstOfAll } from './priority.js';
import { type Line, type Report, shareReached } from './results.js';
import type { Stage } from './stage.js';
import { median, medianRatio, middleRatios } from './statistics.js';

const MEGABYTE = 1024 * 1024;
/** Short, so that a round's two ways meet the same machine; far more than it takes until both ends are at full speed. */
const BYTES = 256 * MEGABYTE;
/** The forward leads to another port inside: with one and the same, connection tracking would have to find new source ports for those that the direct ones have just used. */
const BULK = { inside: 7001, forwarded: 7011, external: 50_401, proxy: 17_001, quit: 7003 };
const SHORT = { inside: 7002, forwarded: 7012, external: 50_402, proxy: 17_002, quit: 7004 };
/** How many connections are being made at once. */
const LANES = 16;
/** Two processors carry sender, kernel and receiver for a tenth of a second: one transfer tells little. */
const BULK_ROUNDS = 20;
const PROXIED_EVERY = 8;
const SHARE = { bulk: 0.95, connections: 0.9 };

/** Run in the container's network: much to each who connects, or one byte; one port ends it. */
const SERVERS = {
  bulk: `
const zeros = Buffer.alloc(${MEGABYTE});
serve((socket) => {
  let left = ${BYTES / MEGABYTE};
  const more = () => { while (left-- > 0) if (!socket.write(zeros)) return; socket.end(); };
  socket.on('drain', more).on('error', () => undefined);
  more();
}, ${JSON.stringify(BULK)});`,
  short: `serve((socket) => socket.on('error', () => undefined).end('.'), ${JSON.stringify(SHORT)});`,
};
const SERVE = `
const { createServer } = require('node:net');
const serve = (each, { inside, forwarded, quit }) => {
  for (const port of [inside, forwarded]) createServer(each).listen({ port, backlog: 4096 });
  createServer(() => process.exit(0)).listen(quit);
};`;

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
  const first = await firstOfAll();
  try {
    const bulk = await onServer(stage, member, { ports: BULK, server: SERVERS.bulk, prefix: first.prefix }, (ways) =>
      inTurns({ ways, rounds: options.transfers * BULK_ROUNDS, measure: rateOf, during: first.during }),
    );
    report(
      `${BYTES / MEGABYTE} MB through one connection, per second${first.allowed ? '' : ', among other work'}`,
      lines(bulk, 'MB/s', SHARE.bulk),
    );
    const short = await onServer(stage, member, { ports: SHORT, server: SERVERS.short, prefix: [] }, (ways) =>
      inTurns({ ways, rounds: options.transfers, measure: (place) => connectionsTo(place, options.seconds), during: (round) => round() }),
    );
    report(`connections one after the other by ${LANES} clients`, lines(short, '/s', SHARE.connections));
  } finally {
    await stage.members.delete(member);
  }
}

interface Served {
  readonly ports: typeof BULK;
  readonly server: string;
  /** Of the server's command and of socat's. */
  readonly prefix: readonly string[];
}

/** The work with a server in the container's network and socat at the forward's place, both gone after it. */
async function onServer<T>(
  stage: Stage,
  member: Member,
  { ports, server, prefix }: Served,
  work: (ways: Record<Way, Place>) => Promise<T>,
) {
  const { network, address } = await placeOf(stage, member);
  const ended = run('nsenter', [`--net=${network}`, ...prefix, process.execPath, '-e', SERVE + server], { timeoutMs: 600_000 });
  const proxy = startProxy(stage, prefix, ports.proxy, { address, port: ports.inside });
  const { router } = stage.lab.profile.network.hostLink;
  const ways = {
    direct: { address, port: ports.inside },
    forwarded: { address: router, port: ports.external },
    proxied: { address: router, port: ports.proxy },
  };
  try {
    for (const place of Object.values(ways)) await listens(place);
    return await work(ways);
  } finally {
    proxy.kill();
    connect(ports.quit, address).on('error', () => undefined);
    await ended;
  }
}

/** The network is entered from outside of the sandbox: in the cgroups of that no process may come before others. */
async function placeOf(stage: Stage, { webspace }: Member): Promise<{ network: string; address: string }> {
  const { value } = await stage.lxd.instances.get(webspace);
  const address = value.devices['eth0']?.['ipv4.address'];
  if (address === undefined) throw new Error(`${webspace} has no address`);
  const { pid } = JSON.parse(await stage.lab.lxc(['query', `/1.0/instances/${webspace}/state`])) as { pid: number };
  return { network: `/proc/${stage.lab.stack.sandbox.initPid()}/root/proc/${pid}/ns/net`, address };
}

function startProxy(stage: Stage, prefix: readonly string[], port: number, to: Place) {
  const inside = ['nsenter', `--net=/run/netns/${stage.lab.profile.network.routerNamespace}`];
  const listen = `TCP-LISTEN:${port},fork,reuseaddr,backlog=4096`;
  const [command = '', ...args] = [...inside, ...prefix, 'socat', '-b', '65536', listen, `TCP:${to.address}:${to.port}`];
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

interface Turns {
  readonly ways: Record<Way, Place>;
  readonly rounds: number;
  readonly measure: (place: Place) => Promise<number>;
  /** Each round takes place in it. */
  readonly during: (round: () => Promise<void>) => Promise<void>;
}

/** One round that does not count, then so many; every other one in the opposite order. */
async function inTurns({ ways, rounds, measure, during }: Turns): Promise<Record<Way, number[]>> {
  const found: Record<Way, number[]> = { direct: [], forwarded: [], proxied: [] };
  const turn = async (round: number) => {
    for (const way of round % 2 === 0 ? WAYS : WAYS.toReversed()) {
      // It is far away, and slow: a few rounds tell as much.
      if (way === 'proxied' && round > 0 && round % PROXIED_EVERY !== 0) continue;
      const value = await measure(ways[way]);
      if (round >= 0) found[way].push(value);
    }
  };
  for (let round = -1; round < rounds; round++) await during(() => turn(round));
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
  const { from, to } = middleRatios(found.forwarded, found.direct);
  const note = `half of the rounds from ${from.toFixed(2)} to ${to.toFixed(2)}`;
  return [
    direct,
    { ...forwarded, raw, ...shareReached(medianRatio(found.forwarded, found.direct), share), note },
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
