import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import autocannon, { type Result } from 'autocannon';
import { BASE_DOMAIN } from '#lab/profile.js';
import { waitFor } from '#lab/wait.js';
import { GATEWAY_PROBE_PATH } from '#libs/contracts/gateway.js';
import { dialUntil } from '#libs/net/dial.js';
import type { Member } from './members.js';
import type { Options } from './options.js';
import { type Line, type Report, shareReached } from './results.js';
import type { Stage } from './stage.js';
import { median, medianRatio, summaryOf } from './statistics.js';

const MEDIAN_MORE_MS = 150;
const P99_MORE_MS = 500;
const WARM_UP = 2;
const CLIENTS = 8;
/** Short turns, so that other work on the machine hits both alike; the ratio is of each round by itself. */
const ROUNDS = 12;
const TURN_SECONDS = 2;
/** Of a gateway that has just started (it loads its code and reads every webspace), and of connections that are new: not counted. */
const SETTLE_SECONDS = 3;
const HELD = 10_000;
/** How many connections are being made at once. */
const LANES = 50;
/** A warm site may be slower by that share of itself between two measurements of the same thing. */
const UNCHANGED_SHARE = 0.95;

/** What visitors meet: a webspace that is off, one that runs, and the gateway's memory of many who wait. */
export async function benchVisit(stage: Stage, options: Options, report: Report): Promise<void> {
  const member = stage.members.fresh();
  await stage.members.ended(await stage.members.create(member));
  await cold(stage, member, options, report);
  await warm(stage, member, report);
  await held(stage, report);
  await stage.members.delete(member);
}

/** First visits of a webspace that is off, and starts of the same container by LXD alone until its port accepts, in turns. */
async function cold(stage: Stage, member: Member, { count }: Options, report: Report): Promise<void> {
  const raw = stage.raw.nextName();
  await stage.raw.create(raw);
  const address = await addressOf(stage, raw);
  const times = { raw: [] as number[], visit: [] as number[] };
  for (let i = -WARM_UP; i < count; i++) {
    const begun = performance.now();
    await stage.raw.change(raw, 'start');
    const socket = await dialUntil({ address, port: 80 }, Date.now() + 10_000, new AbortController().signal);
    const rawMs = performance.now() - begun;
    if (!socket) throw new Error(`${raw} does not listen`);
    socket.destroy();
    await stage.raw.change(raw, 'stop');
    const asked = performance.now();
    const { status } = await stage.lab.visit(member.username, '/', { timeoutMs: 30_000 });
    const visitMs = performance.now() - asked;
    if (status !== 200) throw new Error(`the first visitor got ${status}`);
    await waitFor('the route to the container', async () => (await stage.cluster.target(member.webspace)) === member.webspace, {
      timeoutMs: 20_000,
    });
    if (i < count - 1) await stage.members.ask(204, member, 'DELETE', '/state');
    if (i < 0) continue;
    times.raw.push(rawMs);
    times.visit.push(visitMs);
  }
  await stage.raw.remove(raw);
  const [alone, visit] = [summaryOf(times.raw), summaryOf(times.visit)];
  const [more, more99] = [visit.median - alone.median, visit.p99 - alone.median];
  report('first visit of a webspace that is off, HTTPS through Traefik', [
    { what: 'LXD alone: start until port 80 accepts', value: alone.median, unit: 'ms', count: alone.count, p95: alone.p95, p99: alone.p99 },
    {
      ...{ what: 'visit until its answer', value: visit.median, unit: 'ms', count: visit.count, p95: visit.p95, p99: visit.p99 },
      ...{ raw: alone.median, difference: more, target: `raw + ${MEDIAN_MORE_MS} ms`, met: more <= MEDIAN_MORE_MS },
      note: 'original: 1300 to 2000 ms',
    },
    { what: 'p99 of it', value: visit.p99, unit: 'ms', difference: more99, target: `raw + ${P99_MORE_MS} ms`, met: more99 <= P99_MORE_MS },
  ]);
}

/** A site that runs, with our gateway and with none, in turns: each comes first in every other round. */
async function warm(stage: Stage, member: Member, report: Report): Promise<void> {
  const gateway = stage.lab.process('gateway');
  const figures = { with: [] as Result[], without: [] as Result[] };
  const turn = async (way: keyof typeof figures) => {
    if (way === 'with') await gateway.start();
    else await gateway.stop();
    await load(stage, member, SETTLE_SECONDS);
    figures[way].push(await load(stage, member, TURN_SECONDS));
  };
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const order = round % 2 === 0 ? (['with', 'without'] as const) : (['without', 'with'] as const);
      for (const way of order) await turn(way);
    }
  } finally {
    await gateway.start();
  }
  const rate = ({ requests }: Result) => requests.average;
  const line = (what: string, results: readonly Result[]): Line => ({
    what,
    value: median(results.map(rate)),
    unit: '/s',
    count: results.reduce((total, { requests }) => total + requests.total, 0),
    p99: Math.max(...results.map(({ latency }) => latency.p99)),
  });
  const [ours, without] = [line('gateway running', figures.with), line('no gateway', figures.without)];
  const ratio = medianRatio(figures.with.map(rate), figures.without.map(rate));
  report(`warm site through Traefik, ${CLIENTS} clients, ${ROUNDS} rounds`, [
    { ...ours, raw: without.value, ...shareReached(ratio, UNCHANGED_SHARE) },
    without,
  ]);
}

async function load({ lab: { profile } }: Stage, { username }: Member, seconds: number): Promise<Result> {
  const servername = `${username}.${BASE_DOMAIN}`;
  const result = await autocannon({
    url: `https://127.0.0.1:${profile.ports.websecure}/`,
    connections: CLIENTS,
    duration: seconds,
    headers: { host: servername },
    servername,
  });
  const { non2xx, errors, timeouts } = result;
  if (non2xx + errors + timeouts > 0) throw new Error(`${non2xx} answers were not 2xx, ${errors} errors, ${timeouts} timeouts`);
  return result;
}

/** Connections to the gateway that have asked once and stay open. */
async function held({ lab }: Stage, report: Report): Promise<void> {
  const gateway = lab.process('gateway');
  await gateway.restart();
  const mb = () => gateway.residentBytes() / 2 ** 20;
  const before = mb();
  const { host, port } = { host: lab.profile.network.hostLink.host, port: lab.profile.ports.gatewayHttp };
  const sockets = new Set<Socket>();
  const lane = async () => {
    while (sockets.size < HELD) {
      const socket = connect({ host, port });
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.once('data', () => resolve());
        socket.write(`GET ${GATEWAY_PROBE_PATH} HTTP/1.1\r\nHost: anybody.example\r\n\r\n`);
      });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const most = mb();
  await pause(2_000);
  const [open, value] = [sockets.size, mb()];
  for (const socket of sockets) socket.destroy();
  report(`memory of the gateway with ${HELD} idle connections straight to it`, [
    { what: 'before', value: before, unit: 'MB' },
    { what: 'just after they were opened', value: most, unit: 'MB', difference: most - before },
    {
      what: 'two seconds later',
      value,
      unit: 'MB',
      count: open,
      difference: value - before,
      note: `${(((value - before) * 1024) / open).toFixed(1)} KB each`,
    },
  ]);
}

async function addressOf({ lxd }: Stage, name: string): Promise<string> {
  const { value } = await lxd.instances.get(name);
  const address = value.devices['eth0']?.['ipv4.address'];
  if (address === undefined) throw new Error(`${name} has no address`);
  return address;
}
