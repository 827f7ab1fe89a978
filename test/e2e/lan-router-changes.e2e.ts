import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { report, times } from '../support/lab-session.js';
import type { LeaseResult } from '../support/router/dhcp-load.js';
import type { Netns } from '../support/router/netns.js';
import { PLACES, PUBLIC, ROUTER, ROUTER6, SUBNET6, tenantAddress } from '../support/router/network.js';
import { RouterWorld } from '../support/router/world.js';

interface Held {
  readonly sent: number;
  readonly received: number;
  readonly failed?: string;
}

const SETTINGS = { lan: { ipv6: { subnet: SUBNET6, router: ROUTER6 } }, dns: { upstream: [PLACES.resolver.v4] } };
const STANDBY = (number: number) => ({ ...SETTINGS, standby: { enabled: true, podName: `router-${number}`, leaseSeconds: 2 } });
const EXTERNAL = 50_007;
const FORWARDS = [{ protocol: 'tcp', external: EXTERNAL, internal: 7001 }];
const LEASES = 5_000;
const LEASE_SECONDS = 7_200;
const DAY_MS = 24 * 3_600_000;
/** So many lines, one each 10 ms, take a while. */
const AWAY_LINES = times({ short: 500, full: 6_000 });

let world: RouterWorld;
let gateway: ChildProcess;
const inside = () => world.tenant(1);
const held = (netns: Netns, name: string) => netns.do<Held>('held', { name });

const way6Out = () =>
  waitFor('a way out over IPv6', async () => (await world.tenant(2).tcp(PLACES.internet.v6, 443, 300)).startsWith('open'), {
    timeoutMs: 40_000,
    intervalMs: 20,
  });

/** Ends when so much more has come back on a connection that is held. */
async function goesOn(netns: Netns, name: string, lines = 20): Promise<void> {
  const { received } = await held(netns, name);
  await waitFor(
    `${name} to go on`,
    async () => {
      const now = await held(netns, name);
      if (now.failed !== undefined) throw new Error(now.failed);
      return now.received >= received + lines;
    },
    { timeoutMs: 30_000 + lines * 20 },
  );
}

beforeAll(async () => {
  world = await RouterWorld.make({ tenants: 3, routers: 2 });
  await world.publish('ws-u1', tenantAddress(1), FORWARDS);
  await world.runs('ws-u1');
  await world.publish('ws-u2', tenantAddress(2));
  await world.router(1).start(STANDBY(1));
  await world.router(1).ready();
  await waitFor('the first router to be active', async () => (await world.router(1).status()).active, { timeoutMs: 20_000 });
  await world.router(1).ready();
  gateway = await world.router(1).startGateway({ follows: 'webspaces-kuberouter' });
  await world.leadTo(1);
  for (const n of [1, 2, 3]) await world.lease(world.tenant(n));
  await inside().do('serve', { tcp: [7001], udp: [] });
}, 180_000);
afterAll(() => world?.close(), 60_000);

describe('beside the gateway of forwarded ports', () => {
  it('a forwarded port reaches the container, which sees the client, and no other port does', async () => {
    const reached = async () => (await world.outside.tcp(PUBLIC, EXTERNAL)).startsWith('open');
    await waitFor('the forward', reached, { timeoutMs: 30_000 });
    expect(await world.outside.tcp(PUBLIC, EXTERNAL)).toBe('open you are 192.0.2.1');
    expect(await world.outside.tcp(PUBLIC, EXTERNAL + 1)).toBe('ECONNREFUSED');
  }, 60_000);

  it('a container does not reach another one’s forwarded port at the router', async () => {
    expect(await world.tenant(2).tcp(ROUTER, EXTERNAL)).toBe('ECONNREFUSED');
    expect(await world.router(1).refused('container')).toBeGreaterThan(0);
  });
});

describe('restarts in place', () => {
  it('kill -9 of router, dnsmasq and gateway: connections in both directions lose nothing', async () => {
    expect(await inside().do('hold', { name: 'out', host: PLACES.internet.v4, port: 443, everyMs: 10 })).toMatch(/^open/);
    expect(await world.outside.do('hold', { name: 'in', host: PUBLIC, port: EXTERNAL, everyMs: 10 })).toMatch(/^open/);
    const { dnsmasq } = await world.router(1).status();
    await world.router(1).kill('SIGKILL');
    process.kill(dnsmasq.pid ?? 0, 'SIGKILL');
    const ended = once(gateway, 'exit');
    gateway.kill('SIGKILL');
    await ended;
    await goesOn(inside(), 'out');
    await goesOn(world.outside, 'in');
    const begun = performance.now();
    await world.router(1).start(STANDBY(1));
    await waitFor('names to be told again', async () => Array.isArray(await world.tenant(2).ask(ROUTER, 'ws-u1.webspace', 'A', 200)), {
      timeoutMs: 30_000,
    });
    report('kill -9 of router and dnsmasq, until names are told again', `${(performance.now() - begun).toFixed(0)} ms after the start`);
    gateway = await world.router(1).startGateway({ follows: 'webspaces-kuberouter' });
    await world.router(1).ready();
    await goesOn(inside(), 'out');
    await goesOn(world.outside, 'in');
    for (const [netns, name] of [[inside(), 'out'] as const, [world.outside, 'in'] as const]) {
      const { failed, sent, received } = await held(netns, name);
      expect(failed).toBeUndefined();
      expect(sent - received).toBeLessThan(50);
      await netns.do('letGo', { name });
    }
  }, 120_000);

  it('Kubernetes away for a while: connections in both directions go on, and what changed is served when it is back', async () => {
    expect(await inside().do('hold', { name: 'out', host: PLACES.internet.v4, port: 443, everyMs: 10 })).toMatch(/^open/);
    expect(await world.outside.do('hold', { name: 'in', host: PUBLIC, port: EXTERNAL, everyMs: 10 })).toMatch(/^open/);
    await world.kubernetesAway();
    await world.publish('ws-late', tenantAddress(9));
    await goesOn(inside(), 'out', AWAY_LINES);
    await goesOn(world.outside, 'in', 20);
    expect((await world.router(1).status()).active).toBe(true);
    expect(await world.tenant(2).ask(ROUTER, 'ws-u1.webspace')).toEqual([tenantAddress(1)]);
    await world.kubernetesBack();
    await waitFor('the new name', async () => Array.isArray(await world.tenant(2).ask(ROUTER, 'ws-late.webspace', 'A', 200)), {
      timeoutMs: 30_000,
    });
    for (const [netns, name] of [[inside(), 'out'] as const, [world.outside, 'in'] as const]) {
      const { failed, sent, received } = await held(netns, name);
      expect(failed).toBeUndefined();
      expect(sent - received).toBeLessThan(50);
      await netns.do('letGo', { name });
    }
    await world.unpublish('ws-late');
  }, 240_000);

  it('starts again with what it knew while Kubernetes is away', async () => {
    await world.router(1).kill('SIGTERM');
    await world.kubernetesAway();
    await world.router(1).start(SETTINGS);
    try {
      await waitFor('names', async () => Array.isArray(await world.tenant(2).ask(ROUTER, 'ws-u1.webspace', 'A', 200)), {
        timeoutMs: 30_000,
      });
      expect(await world.lease(world.tenant(2))).toMatchObject({ ip: tenantAddress(2), hostname: 'ws-u2' });
      expect(await world.router(1).get('/health/ready')).toContain('have not been read yet');
    } finally {
      await world.kubernetesBack();
    }
    await world.router(1).ready();
    await world.router(1).kill('SIGTERM');
    await world.router(1).start(STANDBY(1));
    await world.router(1).ready();
  }, 120_000);

  it('a clock that jumps a month ahead, and back, ends no lease and keeps none for ever', async () => {
    await world.router(1).kill('SIGTERM');
    world.router(1).clock.set(0);
    await world.router(1).start(STANDBY(1));
    await world.router(1).ready();
    const { ip = '' } = await world.lease(world.tenant(3));
    const endsInSeconds = () => {
      const [, expires] =
        new RegExp(`^(\\d+) \\S+ ${ip} `, 'm').exec(readFileSync(join(world.router(1).stateFolder, 'leases'), 'utf8')) ?? [];
      return expires === undefined ? Number.NaN : Number(expires) - Date.now() / 1000;
    };
    for (const days of [30, 0]) {
      world.router(1).clock.set(days * DAY_MS);
      const moved = () => Math.abs(endsInSeconds() - (days * DAY_MS) / 1000 - LEASE_SECONDS) < 120;
      await waitFor(`the lease to end ${days} days later`, moved, { timeoutMs: 30_000, intervalMs: 50 });
      await waitFor('names', async () => Array.isArray(await world.tenant(2).ask(ROUTER, 'ws-u1', 'A', 200)), { timeoutMs: 30_000 });
    }
    expect(await world.lease(world.tenant(3))).toMatchObject({ ip });
    expect((await world.router(1).status()).dnsmasq.failures).toBe(0);
  }, 120_000);

  it('dnsmasq that ends by itself is started again, later after each time', async () => {
    const pid = async () => (await world.router(1).status()).dnsmasq.pid;
    for (let round = 0; round < 2; round++) {
      const before = await waitFor('dnsmasq', pid, { timeoutMs: 20_000 });
      process.kill(before, 'SIGKILL');
      await waitFor('another dnsmasq', async () => ((await pid()) ?? before) !== before, { timeoutMs: 20_000 });
    }
    expect((await world.router(1).status()).dnsmasq.failures).toBe(2);
    expect(await world.tenant(2).ask(ROUTER, 'ws-u1')).toEqual([tenantAddress(1)]);
  }, 60_000);

  it('rules that others flush, and addresses that others take, come back', async () => {
    const { netns } = world.router(1);
    await netns.run(['nft', 'delete', 'table', 'inet', 'webspaces_router']);
    await netns.ip(`address delete ${ROUTER}/16 dev webspaces-lan`);
    await waitFor('the rules', async () => (await world.tenant(2).tcp('10.96.0.1', 443)) === 'ECONNREFUSED', { timeoutMs: 30_000 });
    expect(await world.tenant(2).ask(ROUTER, 'ws-u1')).toEqual([tenantAddress(1)]);
  }, 60_000);

  it('an interface that is made anew is served as the one before', async () => {
    await world.lan.ip('link delete r1');
    await waitFor('it to be missed', async () => (await world.router(1).get('/health/ready')).includes('is not there'), {
      timeoutMs: 20_000,
    });
    await world.lan.ip(`link add r1 type veth peer name webspaces-lan netns ${world.router(1).netns.name}`, 'link set r1 master br0 up');
    await world.router(1).netns.ip('link set webspaces-lan mtu 1450 up');
    await world.router(1).ready();
    expect(await world.lease(world.tenant(2))).toMatchObject({ ip: tenantAddress(2) });
    expect(await world.tenant(2).tcp(PLACES.internet.v4, 443)).toMatch(/^open/);
  }, 60_000);
});

describe('many leases', () => {
  let first: LeaseResult;

  it(`row 68: ${LEASES} clients have leases at once, none twice; the original stopped at 1 000`, async () => {
    first = await world.tenant(3).do<LeaseResult>('leaseMany', { clients: LEASES, atOnce: 64, from: 1, timeoutMs: 150_000 }, 180_000);
    const rate = Math.round((LEASES * 1000) / first.ms);
    report(`${LEASES} leases`, `${first.ms} ms, ${rate}/s, p50 ${first.p50Ms} ms, p99 ${first.p99Ms} ms`);
    expect(first.unanswered).toBe(0);
    expect(new Set(first.leases.map(([, address]) => address)).size).toBe(LEASES);
    expect(await world.router(1).metric('webspaces_kuberouter_pool_leases')).toBeGreaterThanOrEqual(LEASES);
  }, 200_000);

  it('a failover: the standby takes the addresses over, and gives no lease twice', async () => {
    await world.router(2).start(STANDBY(2));
    await world.router(2).ready();
    expect((await world.router(2).status()).active).toBe(false);
    await world.router(2).startGateway({ follows: 'webspaces-kuberouter' });
    const led = async () =>
      JSON.parse((await world.router(2).netns.tryRun(['curl', '-s', 'http://127.0.0.1:8082/status/ws-u1'])).stdout) as object;
    await waitFor('the second gateway', led, { timeoutMs: 30_000 });
    expect(await led()).toMatchObject({ active: false, kernel: [] });
    expect(await world.outside.do('hold', { name: 'in', host: PUBLIC, port: EXTERNAL, everyMs: 20 })).toMatch(/^open/);
    const copied = async () =>
      (await world.kube.find('configMap', 'webspaces-kuberouter-leases'))?.metadata.annotations?.['webspaces.netsoc.ie/copied-by'];
    expect(await copied()).toMatch(/^router-1\//);
    await way6Out();
    await world.losePod(1);
    const begun = performance.now();
    const since = () => `${(performance.now() - begun).toFixed(0)} ms`;
    await waitFor('the second router to be active', async () => (await world.router(2).status()).active, { timeoutMs: 30_000 });
    await waitFor('a way out', async () => (await world.tenant(2).tcp(PLACES.internet.v4, 443, 500)).startsWith('open'), {
      timeoutMs: 30_000,
      intervalMs: 20,
    });
    report('failover: a new connection to the outside', `after ${since()} (Lease of 2 s)`);
    await waitFor('names', async () => Array.isArray(await world.tenant(2).ask(ROUTER, 'ws-u1', 'A', 200)), {
      timeoutMs: 30_000,
      intervalMs: 20,
    });
    report('failover: names', `after ${since()}`);
    // The Services of forwarded ports select the pod by this label.
    const labelled = async () => 'webspaces.netsoc.ie/ports' in ((await world.kube.find('pod', 'router-2'))?.metadata.labels ?? {});
    await waitFor('the label of the second pod', labelled, { timeoutMs: 30_000, intervalMs: 20 });
    await world.leadTo(2);
    report('failover: the load balancer leads forwarded ports to the other pod', `after ${since()}`);
    await way6Out();
    report('failover: a new connection over IPv6', `after ${since()}`);
    await goesOn(world.outside, 'in', 5);
    report('failover: a running forward goes on', `after ${since()}`);
    expect((await held(world.outside, 'in')).failed).toBeUndefined();

    const again = await world
      .tenant(3)
      .do<LeaseResult>('leaseMany', { clients: 1_000, atOnce: 64, from: LEASES + 1, timeoutMs: 120_000 }, 150_000);
    expect(again.unanswered).toBe(0);
    const all = [...first.leases, ...again.leases].map(([, address]) => address);
    expect(new Set(all).size).toBe(LEASES + 1_000);
    const file = readFileSync(join(world.router(2).stateFolder, 'leases'), 'utf8');
    expect(file.split('\n').length).toBeGreaterThan(LEASES + 1_000);
  }, 300_000);

  it('SIGTERM hands over without the wait for the Lease', async () => {
    await world.lan.ip('link set r1 up', 'link set r1o up');
    await world.router(1).start(STANDBY(1));
    await world.router(1).ready();
    const begun = performance.now();
    await world.router(2).kill('SIGTERM');
    await waitFor('names', async () => Array.isArray(await world.tenant(2).ask(ROUTER, 'ws-u1', 'A', 200)), {
      timeoutMs: 30_000,
      intervalMs: 20,
    });
    report('planned handover: names', `after ${(performance.now() - begun).toFixed(0)} ms`);
    expect((await world.router(1).status()).active).toBe(true);
  }, 60_000);
});

describe('rates', () => {
  it('a container that opens too many connections is refused, others are not', async () => {
    await world.router(1).kill('SIGTERM');
    await world.router(1).start({ ...SETTINGS, egress: { newPerSecond: 2, newBurst: 20 } });
    await world.router(1).ready();
    const tries = await Promise.all(Array.from({ length: 60 }, () => world.tenant(2).tcp(PLACES.internet.v4, 443)));
    const open = tries.filter((answer) => answer.startsWith('open')).length;
    report('60 connections at once, 20 and 2 more a second allowed', `${open} open, the others ${[...new Set(tries)].join(', ')}`);
    expect(open).toBeGreaterThanOrEqual(20);
    expect(open).toBeLessThan(50);
    expect(tries.filter((answer) => answer === 'ECONNREFUSED').length).toBe(60 - open);
    expect(await inside().tcp(PLACES.internet.v4, 443)).toMatch(/^open/);
    expect(await world.router(1).refused('rate')).toBeGreaterThanOrEqual(60 - open);
  }, 60_000);
});
