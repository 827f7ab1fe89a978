import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { lxd8sConfigSchema } from '#libs/config/lxd8s.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { createLogger } from '#libs/logging/logger.js';
import { type KubernetesDouble, Refusal, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { answersOf } from './answers.js';
import type { LeaseView } from './lease-watch.js';
import type { LxdView } from './lxd-watch.js';
import { type MemberView, MemberWatch } from './member-watch.js';
import { type Probes, type State, startProbes } from './start-probes.js';

const LXD = { serving: 200, waiting: 503, hangs: 0 } as const;
const FAR_MS = 3_600_000;

let folder: string;
let double: KubernetesDouble;
let kube: KubernetesClient;
let lxd: Server | undefined;
let probes: Probes;
let wall = 0;
let steady = 0;
let served: keyof typeof LXD;

const socket = () => join(folder, 'unix.socket');
const clock = { wall: () => Date.now() + wall, steady: () => performance.now() + steady };

beforeEach(async () => {
  [wall, steady, served] = [0, 0, 'serving'];
  folder = mkdtempSync(join(tmpdir(), 'lxd8s-'));
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'lxd', timeoutMs: 1_000 });
  const config = lxd8sConfigSchema.parse({
    listen: '127.0.0.1:0',
    statefulSet: 'lxd',
    lxd: { socket: socket(), everySeconds: 0.1, timeoutSeconds: 0.2, deadSeconds: 60 },
    lease: { everySeconds: 0.1, maxSeconds: 600, skewSeconds: 30 },
  });
  probes = await startProbes({ config, kube, log: createLogger({ name: 'spec', level: 'silent' }), clock });
});

afterEach(async () => {
  await probes.close();
  lxd?.closeAllConnections();
  await new Promise((resolve) => (lxd ? lxd.close(resolve) : resolve(undefined)));
  lxd = undefined;
  await kube.close();
  await double.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A server at the unix socket that answers as `served` says at the time. */
async function startLxd(): Promise<void> {
  lxd = createServer((request, response) => {
    if (served === 'hangs') return;
    response.writeHead(request.url === '/internal/ready' ? LXD[served] : 404).end('{}');
  });
  await new Promise<void>((resolve) => lxd?.listen(socket(), resolve));
}

const get = (path: string) => fetch(`http://127.0.0.1:${probes.port}/${path}`);

async function state(fits: (now: State) => boolean): Promise<State> {
  for (const until = Date.now() + 5_000; ; await delay(20)) {
    const now = (await (await get('state')).json()) as State;
    if (fits(now)) return now;
    if (Date.now() > until) throw new Error(`not so: ${JSON.stringify(now)}`);
  }
}

async function codes(): Promise<Record<string, number>> {
  const names = ['startup', 'live', 'ready'];
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, (await get(name)).status])));
}

async function lease(spec: Record<string, unknown>): Promise<void> {
  const full = { holderIdentity: 'upgrade/1', renewTime: micro(0), leaseDurationSeconds: 60, ...spec };
  await kube.apply('lease', { metadata: { name: 'lxd-upgrade', annotations: { 'webspaces.netsoc.ie/upgrade-by': 'anna' } }, spec: full });
}

function micro(fromNowMs: number): string {
  return new Date(clock.wall() + fromNowMs).toISOString().replace('Z', '000Z');
}

const away = () => {
  double.beforeEach = () => {
    throw new Refusal(503, 'ServiceUnavailable', 'away');
  };
};
const read = (now: State) => now.lease.readAt !== undefined;
const lenient = (now: State) => now.lease.lenient;

const LEASES = {
  none: async () => undefined,
  held: () => lease({ leaseDurationSeconds: 300 }),
  expired: () => lease({ renewTime: micro(-61_000) }),
  free: () => lease({ holderIdentity: '' }),
  unreadable: async () => away(),
} as const;

const DEAD = { startup: 503, live: 503, ready: 503 };
const WAITS = { startup: 503, live: 200, ready: 503 };
const SERVES = { startup: 200, live: 200, ready: 200 };
const SPARED = { startup: 200, live: 200, ready: 503 };
const TABLE = (['none', 'held', 'expired', 'free', 'unreadable'] as const).flatMap((of) => [
  { of, seen: 'serving' as const, answers: SERVES },
  { of, seen: 'waiting' as const, answers: of === 'held' ? SPARED : WAITS },
  { of, seen: 'hangs' as const, answers: of === 'held' ? SPARED : DEAD },
  { of, seen: 'no socket' as const, answers: of === 'held' ? SPARED : DEAD },
]);

test.each(TABLE)('LXD $seen, Lease $of: $answers', async ({ of, seen, answers }) => {
  await LEASES[of]();
  if (seen !== 'no socket') {
    served = seen;
    await startLxd();
  }
  const is = seen === 'serving' || seen === 'waiting' ? seen : 'silent';
  await state(
    (now) => now.lxd.is === is && now.lxd.said !== 'not asked yet' && (of === 'unreadable' ? now.lease.error !== undefined : read(now)),
  );
  // A silent LXD is alive until it was silent for `deadSeconds`.
  if (is === 'silent' && of !== 'held') expect((await codes())['live']).toBe(200);
  if (of === 'held') await state(lenient);
  if (is === 'silent') steady = 61_000;
  expect(await codes()).toEqual(answers);
});

test('while the Lease cannot be read its last expiry stands, and at the expiry probes are strict', async () => {
  await lease({ leaseDurationSeconds: 300 });
  await state(lenient);
  away();
  const kept = await state((now) => now.lease.error !== undefined);
  expect(kept.lease.lenient).toBe(true);
  expect(kept.probes.startup).toMatchObject({ passes: true, by: 'lenient', why: expect.stringContaining('cannot be read now') });
  wall = 301_000;
  expect(await codes()).toMatchObject({ startup: 503 });
});

test('a clock that is set back while the Lease cannot be read prolongs nothing', async () => {
  await lease({ leaseDurationSeconds: 300 });
  await state(lenient);
  away();
  await state((now) => now.lease.error !== undefined);
  wall = -FAR_MS;
  steady = 301_000;
  expect((await state(() => true)).lease.lenient).toBe(false);
});

test('a clock that is set back by more than the bound makes a Lease unbelievable, and renewing it by that clock believable again', async () => {
  await lease({ leaseDurationSeconds: 300 });
  await state(lenient);
  wall = -FAR_MS;
  const now = await state((seen) => !seen.lease.lenient);
  expect(now.lease.why).toMatch(/renewed 3\d{3} s ahead of this clock/);
  await lease({ leaseDurationSeconds: 300 });
  await state(lenient);
});

test('of an absurd duration only the cap counts, and the state says so', async () => {
  await lease({ leaseDurationSeconds: 2_000_000_000 });
  const { lease: seen } = await state(lenient);
  expect(seen.why).toContain('it states 2000000000 s, of which 600 s count');
  expect(seen.why).toContain('by anna');
  expect(Date.parse(seen.expiry ?? '') - clock.wall()).toBeLessThanOrEqual(600_000);
  wall = 601_000;
  expect((await state((now) => !now.lease.lenient)).probes.startup.passes).toBe(false);
});

test.each([
  { renewTime: undefined, why: 'tells no time' },
  { renewTime: 'soon', why: 'tells no time' },
  { leaseDurationSeconds: 0, why: 'tells no duration' },
  { leaseDurationSeconds: -5, why: 'tells no duration' },
  { leaseDurationSeconds: undefined, why: 'tells no duration' },
  { holderIdentity: undefined, why: 'nobody holds' },
])('a Lease with $why makes nothing lenient', async ({ why, ...spec }) => {
  await lease(spec);
  expect((await state((now) => now.lease.why.includes(why))).lease.lenient).toBe(false);
});

test('a Lease that is deleted makes nothing lenient any more, one that is renewed goes on', async () => {
  await lease({});
  const first = await state(lenient);
  await lease({ renewTime: micro(5_000) });
  await state((now) => now.lease.lenient && now.lease.expiry !== first.lease.expiry);
  await kube.delete('lease', 'lxd-upgrade', {});
  const now = await state((seen) => !seen.lease.lenient);
  expect(now.probes.startup).toMatchObject({ passes: false, by: 'strict', why: expect.stringContaining('there is no Lease') });
});

test('a Lease that was never read because this account may not is said, and probes are strict', async () => {
  double.beforeEach = () => {
    throw new Refusal(403, 'Forbidden', 'leases is forbidden');
  };
  const now = await state((seen) => seen.lease.error !== undefined);
  expect(now.lease).toMatchObject({ lenient: false, why: 'the Lease has not been read yet', error: expect.stringContaining('forbidden') });
});

describe('beside the process that LXD runs under', () => {
  const say = { waits: true, phase: 'volumes', why: 'The volume at /var/lib/lxd is left as it is: it is not empty.' };
  const silent: LxdView = { is: 'silent', said: 'no socket', seconds: 900 };
  const strict: LeaseView = { lenient: false, why: 'there is no Lease' };
  const passes = (lxd: LxdView, member: MemberView) =>
    Object.fromEntries(
      Object.entries(answersOf({ lxd, lease: strict, member, deadSeconds: 60 })).map(([probe, answer]) => [probe, answer.passes]),
    );

  test('a member that waits for something outside is not ended for it, and serves nobody', () => {
    expect(passes(silent, say)).toEqual({ startup: true, live: true, ready: false });
    const { live } = answersOf({ lxd: silent, lease: strict, member: say, deadSeconds: 60 });
    expect(live).toMatchObject({ by: 'waits', why: expect.stringContaining('it is not empty') });
  });

  test('one that is not in the cluster yet serves nobody, although its LXD does', () => {
    const serving: LxdView = { is: 'serving', said: 'HTTP 200', seconds: 1 };
    expect(passes(serving, { ...say, phase: 'entering' })).toEqual({ startup: true, live: true, ready: false });
    expect(passes(serving, { ...say, phase: 'serving' })).toEqual({ startup: true, live: true, ready: true });
  });

  test('one that does not wait is dead when its LXD is', () => {
    expect(passes(silent, { ...say, waits: false })).toEqual({ startup: false, live: false, ready: false });
  });

  test('a process that does not answer, or not as it should, waits for nothing', async () => {
    const watch = new MemberWatch({ url: 'http://127.0.0.1:9', timeoutMs: 500 });
    await watch.look(new AbortController().signal);
    expect(watch.view()).toMatchObject({ waits: false, phase: 'unknown' });
    const stranger = createServer((_request, response) => response.end('{"waits":"yes"}'));
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const other = new MemberWatch({ url: `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`, timeoutMs: 500 });
    await other.look(new AbortController().signal);
    stranger.closeAllConnections();
    await new Promise((resolve) => stranger.close(resolve));
    expect(other.view().waits).toBe(false);
  });
});

test('only the one Lease is read', async () => {
  await state(read);
  expect(new Set(double.requests)).toEqual(new Set(['GET /apis/coordination.k8s.io/v1/namespaces/lxd/leases/lxd-upgrade']));
});

test('metrics and the refusal of unknown paths', async () => {
  await startLxd();
  await lease({});
  await state((now) => now.lxd.is === 'serving' && now.lease.lenient);
  const metrics = await (await get('metrics')).text();
  expect(metrics).toContain('webspaces_lxd8s_lxd{is="serving"} 1');
  expect(metrics).toContain('webspaces_lxd8s_lxd{is="silent"} 0');
  expect(metrics).toContain('webspaces_lxd8s_lenient 1');
  expect(metrics).toContain('webspaces_lxd8s_probe_passes{probe="ready"} 1');
  expect((await get('health/live')).status).toBe(404);
});
