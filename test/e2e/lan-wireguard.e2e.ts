import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { report } from '../support/lab-session.js';
import type { Place } from '../support/lan-place.js';
import { LanWorld } from '../support/lan-world.js';

const [A, B] = ['172.24.0.1', '172.24.0.2'] as const;
const SERVICE = 'lan-wireguard';
const DEADLINE = { timeoutMs: 60_000 };
const YEAR_MS = 365 * 24 * 3_600_000;

let world: LanWorld;
let one: Place;
let other: Place;

/** The sockets of wireguard-go are files of this machine, whatever the namespace. */
const tunnelOf = (place: Place) => place.namespace.replace('wslan', 'wg');
const settings = (place: Place, address: string, more: object = {}) => ({
  lan: { services: [SERVICE], encryption: 'wireguard' },
  wireguard: { interface: tunnelOf(place), ...more },
  addresses: [`${address}/16`],
  resyncSeconds: 1,
});
const reaches = (from: Place, to: string) =>
  waitFor(`the way to ${to}`, async () => (await from.try(['ping', '-c', '1', '-W', '1', to])).exitCode === 0, DEADLINE);
const keyOf = async (place: Place) => (await place.exec(['wg', 'show', tunnelOf(place), 'public-key'])).trim();

beforeAll(async () => {
  world = await LanWorld.open();
  [one, other] = [await world.place(), await world.place()];
  await world.slice(SERVICE, 'lan-wireguard-1', [one.underlay, other.underlay]);
  await Promise.all([one.start(settings(one, A)), other.start(settings(other, B))]);
}, 300_000);
afterAll(() => world?.close(), 60_000);

describe('the LAN in tunnels', () => {
  it('carries frames of its MTU, 1 370 bytes, and no larger ones unnoticed', async () => {
    await reaches(one, B);
    await reaches(other, A);
    expect((await one.link()).mtu).toBe(1370);
    await one.exec(['ping', '-M', 'do', '-s', '1342', '-c', '1', '-W', '2', B]);
    expect((await one.try(['ping', '-M', 'do', '-s', '1343', '-c', '1', '-W', '2', B])).stderr).toContain('message too long');
  }, 120_000);

  it('sends nothing over the underlay that can be read', async () => {
    await other.exec(
      ['nft', '-f', '-'],
      `table inet seen {
  counter tunnel { }
  counter plain { }
  chain input {
    type filter hook input priority -200;
    iifname "eth0" udp dport 51820 counter name tunnel
    iifname "eth0" udp dport 4789 counter name plain
  }
}
`,
    );
    await one.exec(['ping', '-c', '5', '-i', '0.2', '-W', '2', B]);
    const seen = await other.exec(['nft', 'list', 'counters', 'table', 'inet', 'seen']);
    expect(seen).toMatch(/counter plain \{\s+packets 0 /);
    expect(seen).toMatch(/counter tunnel \{\s+packets ([5-9]|\d\d+) /);
  }, 60_000);

  it('goes on while kubelan is killed and started, with the same keys', async () => {
    const [interfaceBefore, keyBefore] = [await one.link(), await keyOf(one)];
    const pings = one.exec(['ping', '-c', '200', '-i', '0.02', '-W', '2', '-q', B]);
    await one.end('SIGKILL');
    await one.start();
    expect(await pings).toContain(' 200 received');
    expect([(await one.link()).ifindex, await keyOf(one)]).toEqual([interfaceBefore.ifindex, keyBefore]);
  }, 120_000);

  it('changes its keys, and is there again at once', async () => {
    const before = await keyOf(one);
    const pings = one.exec(['ping', '-c', '1500', '-i', '0.01', '-W', '2', '-q', B]);
    one.configure(settings(one, A, { rotateHours: 0.001 }));
    await waitFor('another key', async () => (await keyOf(one)) !== before, DEADLINE);
    one.configure(settings(one, A));
    const received = Number(/(\d+) received/.exec(await pings)?.[1] ?? 0);
    report('a changed key: pings lost at 100 a second', String(1_500 - received));
    expect(1_500 - received).toBeLessThan(200);
    await reaches(other, A);
  }, 120_000);

  it('replaces its key when the clock jumps a year ahead, and again when it jumps back, and stays on the LAN', async () => {
    await one.end();
    one.clock.set(0);
    await one.start(settings(one, A));
    for (const aheadMs of [YEAR_MS, 0]) {
      const before = await keyOf(one);
      one.clock.set(aheadMs);
      await waitFor('another key', async () => (await keyOf(one)) !== before, DEADLINE);
      await reaches(other, A);
      await one.healthy();
    }
  }, 120_000);

  it('forgets a member that is behind no Service any more', async () => {
    await world.slice(SERVICE, 'lan-wireguard-1', [one.underlay]);
    await waitFor('no tunnel', async () => (await one.exec(['wg', 'show', tunnelOf(one), 'peers'])).trim() === '', DEADLINE);
    expect((await one.try(['ping', '-c', '2', '-i', '0.2', '-W', '1', B])).exitCode).not.toBe(0);
    await world.slice(SERVICE, 'lan-wireguard-1', [one.underlay, other.underlay]);
    await reaches(one, B);
  }, 120_000);

  it('is closed to who sends from the address of a peer and has no key', async () => {
    const stranger = await world.place();
    const before = await refused();
    await stranger.exec(
      ['ip', '-batch', '-'],
      `address add ${one.underlay}/32 dev lo
link add evil address 02:00:00:00:00:66 type vxlan id 6969 local ${one.underlay} dstport 4789
link set dev evil up
address add 172.24.66.6/16 dev evil
neigh add ${B} lladdr ${(await other.link()).address} dev evil
`,
    );
    await stranger.exec(['bridge', 'fdb', 'append', '00:00:00:00:00:00', 'dev', 'evil', 'dst', other.underlay]);
    await stranger.try(['ping', '-c', '3', '-i', '0.2', '-W', '1', B]);
    await waitFor('three packets counted', async () => (await refused()) >= before + 3, DEADLINE);
    expect(await other.exec(['bridge', 'fdb', 'show', 'dev', 'webspaces-lan'])).not.toContain('02:00:00:00:00:66');
    // It also answered for the peer on the underlay.
    await stranger.exec(['ip', 'link', 'set', 'eth0', 'down']);
    await other.exec(['ip', 'neigh', 'flush', 'dev', 'eth0']);
    await reaches(one, B);
  }, 60_000);
});

async function refused(): Promise<number> {
  const { body } = await http(`${other.url}/metrics`);
  return Number(
    body
      .split('\n')
      .find((text) => text.includes('refused_packets{why="no_peer"}'))
      ?.split(' ')
      .at(-1),
  );
}
