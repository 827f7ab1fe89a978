import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import type { Place } from '../support/lan-place.js';
import { LanWorld } from '../support/lan-world.js';

/** The original's static addresses on the LAN: a member, the API, the router. */
const [MEMBER, API, ROUTER] = ['172.24.0.1', '172.24.254.2', '172.24.254.1'] as const;
const SERVICES = ['lan-lxd', 'lan-api', 'lan-other/lan-router'];
const HOOKED = join(tmpdir(), `lan-hooks-${process.pid}`);
const DEADLINE = { timeoutMs: 60_000 };

let world: LanWorld;
let member: Place;
let api: Place;
let router: Place;

const settings = (address: string, more: object = {}) => ({
  lan: { services: SERVICES, vni: 7331 },
  addresses: [`${address}/16`],
  resyncSeconds: 2,
  hooks: {
    up: ['sh', '-c', `echo "up $IFACE $GREETING" >> ${HOOKED}`],
    change: ['sh', '-c', `echo "change $IFACE $SERVICE [$IPS] $DELETED" >> ${HOOKED}`],
  },
  ...more,
});
const pings = (from: Place, to: string) => from.exec(['ping', '-c', '1', '-W', '2', to]);
const peersAre = (place: Place, wanted: readonly string[]) =>
  waitFor(`peers of ${place.namespace}`, async () => JSON.stringify(await place.peers()) === JSON.stringify([...wanted].sort()), DEADLINE);

beforeAll(async () => {
  world = await LanWorld.open();
  await world.otherNamespace('lan-other');
  [member, api, router] = [await world.place(), await world.place(), await world.place()];
  await world.slice('lan-lxd', 'lan-lxd-1', [member.underlay]);
  // Not ready, and about to end: they are members nevertheless.
  await world.slice('lan-api', 'lan-api-1', [api.underlay], { ready: false });
  await world.slice('lan-other/lan-router', 'lan-router-1', [router.underlay], { ready: false, serving: true, terminating: true });
  await Promise.all([
    member.start(settings(MEMBER, { bridge: 'lxd-lan' })),
    api.start(settings(API)),
    router.start({ ...settings(ROUTER), addresses: [`${ROUTER}/16`, 'fd24::1/64'] }),
  ]);
}, 300_000);
afterAll(async () => {
  await world?.close();
  rmSync(HOOKED, { force: true });
}, 180_000);

describe("the members' LAN", () => {
  it('rows 61 and 67: everybody reaches everybody at the static addresses, at the underlay MTU less 50, and no frame is too large unnoticed', async () => {
    const all = [
      [member, MEMBER],
      [api, API],
      [router, ROUTER],
    ] as const;
    for (const [from] of all) for (const [, to] of all) await pings(from, to);
    for (const [from, own] of all) {
      expect((await from.link()).mtu).toBe(1450);
      const to = own === ROUTER ? MEMBER : ROUTER;
      await from.exec(['ping', '-M', 'do', '-s', '1422', '-c', '1', '-W', '2', to]);
      expect((await from.try(['ping', '-M', 'do', '-s', '1423', '-c', '1', '-W', '2', to])).stderr).toContain('message too long');
    }
    const answer = await member.exec(['arping', '-c', '1', '-w', '3', '-I', 'lxd-lan', ROUTER]);
    expect(answer.toLowerCase()).toContain((await router.link()).address);
  }, 180_000);

  it('rows 62 and 63: the flood list is who is behind the Services, of both namespaces, ready or not, without the own address', async () => {
    for (const place of [member, api, router]) {
      const others = [member, api, router].filter((other) => other !== place).map(({ underlay }) => underlay);
      expect(await place.peers()).toEqual(others.sort());
    }
  });

  it('row 62: an address in two Services counts once, one of the other family or another Service not at all', async () => {
    await world.slice('lan-api', 'lan-api-2', [member.underlay, world.nobody(1)]);
    await world.slice('lan-api', 'lan-api-6', ['fd74::99']);
    await world.slice('lan-stranger', 'lan-stranger-1', [world.nobody(2)]);
    await peersAre(router, [member.underlay, api.underlay, world.nobody(1)]);
    await world.removeSlice('lan-lxd-1');
    // Still wanted by the other one.
    await world.slice('lan-api', 'lan-api-2', [member.underlay]);
    await peersAre(router, [member.underlay, api.underlay]);
    await world.slice('lan-lxd', 'lan-lxd-1', [member.underlay]);
    for (const name of ['lan-api-2', 'lan-api-6', 'lan-stranger-1']) await world.removeSlice(name);
    await pings(router, MEMBER);
  }, 180_000);

  it('row 64: hooks get the documented variables, and a failing one is seen', async () => {
    const lines = () => (existsSync(HOOKED) ? readFileSync(HOOKED, 'utf8').trim().split('\n') : []);
    expect(lines()).toContain('up webspaces-lan hello');
    await waitFor('the hook', () => lines().includes(`change webspaces-lan webspaces/lan-api [${api.underlay}] false`), DEADLINE);
    expect(lines()).toContain(`change webspaces-lan lan-other/lan-router [${router.underlay}] false`);
    await world.removeSlice('lan-router-1', 'lan-other');
    await waitFor('the hook', () => lines().includes('change webspaces-lan lan-other/lan-router [] true'), DEADLINE);

    api.configure(settings(API, { hooks: { change: ['sh', '-c', 'echo no >&2; exit 3'], up: ['sleep', '60'], timeoutSeconds: 0.5 } }));
    await world.slice('lan-other/lan-router', 'lan-router-1', [router.underlay]);
    const failures = async () => {
      const { warnings } = (await http(`${api.url}/health/ready`)).json<{ warnings: Record<string, string> }>();
      return Object.keys(warnings).length === 2 && warnings;
    };
    expect(await waitFor('both failures', failures, DEADLINE)).toEqual({
      'hooks.up': 'ran longer than 0.5 s',
      'hooks.change': 'exit 3: no',
    });
    // It is on the LAN nevertheless.
    await api.healthy();
    expect((await http(`${api.url}/metrics`)).body).toContain('webspaces_kubelan_hook_failures_total{hook="up"} 1');
    api.configure(settings(API));
    await waitFor('no failure', async () => (await failures()) === false, DEADLINE);
  }, 180_000);

  it('row 65: /config has the original’s field names, and /health is 500 until the Services are known', async () => {
    expect((await http(`${member.url}/config`)).json()).toMatchObject({
      LogLevel: 'info',
      IP: member.underlay,
      Namespace: 'webspaces',
      Services: SERVICES,
      VXLAN: { Interface: 'webspaces-lan', VNI: 7331, Port: 4789, MTU: 1450 },
    });
    const late = await world.place();
    await late.launch({ lan: { services: ['lan-lxd', 'lan-forbidden/lan-x'] } });
    const health = () => http(`${late.url}/health`);
    const told = JSON.stringify({ reasons: { services: 'The Services of lan-forbidden have not been read yet.' } });
    await waitFor(
      'an interface and peers before all Services are known',
      async () => {
        const { status, body } = await health();
        return status === 500 && body === told;
      },
      DEADLINE,
    );
    expect(await late.peers()).toEqual([member.underlay]);
    // A Service that does not exist (yet) is no fault.
    late.configure({ lan: { services: ['lan-lxd', 'lan-nobody-made-it'] } });
    await late.healthy();
    expect((await health()).body).toBe('');
    await late.end();
  }, 180_000);

  it('drops and counts VXLAN packets of who is no peer, whole or in fragments, and lets other networks be', async () => {
    const stranger = await world.place();
    await stranger.exec(
      ['ip', '-batch', '-'],
      `link add evil address 02:00:00:00:00:66 type vxlan id 7331 local ${stranger.underlay} dstport 4789
link set dev evil up mtu 2000
address add 172.24.66.6/16 dev evil
neigh add ${ROUTER} lladdr ${(await router.link()).address} dev evil
`,
    );
    await stranger.exec(['bridge', 'fdb', 'append', '00:00:00:00:00:00', 'dev', 'evil', 'dst', router.underlay]);
    const before = await router.json<{ rx: number }[]>(['ip', '-j', '-s', 'link', 'show', 'webspaces-lan']);
    await stranger.try(['ping', '-c', '3', '-i', '0.2', '-W', '1', ROUTER]);
    await stranger.try(['ping', '-c', '2', '-i', '0.2', '-s', '1900', '-W', '1', ROUTER]);
    const refused = async () => {
      const line = (await http(`${router.url}/metrics`)).body.split('\n').find((text) => text.includes('refused_packets{why="no_peer"}'));
      return Number(line?.split(' ').at(-1));
    };
    await waitFor('five packets counted', async () => (await refused()) >= 5, DEADLINE);
    const entries = await router.exec(['bridge', 'fdb', 'show', 'dev', 'webspaces-lan']);
    expect(entries).not.toContain('02:00:00:00:00:66');
    expect(before).toHaveLength(1);
    // Another network at the same port, not kubelan's.
    await stranger.exec(['ip', 'link', 'del', 'evil']);
    for (const [place, own, other] of [
      [stranger, stranger.underlay, router.underlay],
      [router, router.underlay, stranger.underlay],
    ] as const) {
      await place.exec(
        ['ip', '-batch', '-'],
        `link add theirs type vxlan id 42 local ${own} remote ${other} dstport 4789
link set dev theirs up
address add 10.42.0.${own.split('.').at(-1)}/24 dev theirs
`,
      );
    }
    await pings(stranger, `10.42.0.${router.underlay.split('.').at(-1)}`);
    await router.exec(['ip', 'link', 'del', 'theirs']);
  }, 180_000);

  it('tells its neighbours when an address moves, IPv4 and IPv6', async () => {
    await member.exec(['ip', 'address', 'add', 'fd24::2/64', 'dev', 'lxd-lan', 'nodad']);
    await pings(member, ROUTER);
    await pings(member, 'fd24::1');
    const known = async (address: string) => {
      const [neighbour] = await member.json<{ lladdr?: string }[]>(['ip', '-j', 'neigh', 'show', address, 'dev', 'lxd-lan']);
      return neighbour?.lladdr;
    };
    const old = (await router.link()).address;
    expect([await known(ROUTER), await known('fd24::1')]).toEqual([old, old]);
    router.configure({ ...settings(ROUTER), addresses: ['172.24.254.9/16'] });
    await waitFor('the addresses to go', async () => !(await router.exec(['ip', 'address'])).includes(ROUTER), DEADLINE);
    api.configure({ ...settings(API), addresses: [`${API}/16`, `${ROUTER}/16`, 'fd24::1/64'] });
    const { address } = await api.link();
    await waitFor(
      'the member to know the new place',
      async () => (await known(ROUTER)) === address && (await known('fd24::1')) === address,
      DEADLINE,
    );
    api.configure(settings(API));
    await waitFor('the addresses to go', async () => !(await api.exec(['ip', 'address'])).includes(ROUTER), DEADLINE);
    router.configure({ ...settings(ROUTER), addresses: [`${ROUTER}/16`, 'fd24::1/64'] });
    await waitFor(
      'the member to know the old place',
      async () => (await known(ROUTER)) === old && (await known('fd24::1')) === old,
      DEADLINE,
    );
  }, 180_000);

  it('ends with the interface gone and no rule left where keepInterface is false', async () => {
    const changes = () => router.log().split('the configuration has changed').length;
    const before = changes();
    router.configure({ ...settings(ROUTER), keepInterface: false });
    await waitFor('the configuration', () => changes() > before, DEADLINE);
    await router.healthy();
    await router.end();
    expect((await router.exec(['ip', 'address'])).includes(ROUTER)).toBe(false);
    expect(await router.exec(['nft', 'list', 'ruleset'])).not.toContain('webspaces_lan');
  }, 180_000);
});
