import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { LAN } from '#lab/cluster/lan.js';
import { OUTSIDE } from '#lab/cluster/lan-lab.js';
import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { linkLocalOf, macOf, slaacOf } from '#libs/domain/lan.js';
import { report } from '../support/lab-session.js';
import { answering, type Container, inside, launch } from '../support/lan/cluster-containers.js';

const ONE = { name: 'ws-u1', member: 'lxd-0', address: '172.24.1.10' };
const BESIDE = { name: 'ws-u2', member: 'lxd-0', address: '172.24.1.11' };
const OTHER = { name: 'ws-u3', member: 'lxd-1', address: '172.24.1.12' };
/** Of no webspace, as one of the original's would be. */
const GUEST: Container = { name: 'guest', member: 'lxd-2' };
const WEBSPACES = [ONE, BESIDE, OTHER];
const ALL: readonly Container[] = [...WEBSPACES, GUEST];

let cluster: ClusterLab;
let outside: Server | undefined;
let from: string | undefined;
let guest = '';

beforeAll(async () => {
  cluster = await startClusterLab({ profile: 'test', members: 3, apps: 'none', probes: 'none', lan: 'members', cluster: 'anew' });
  await cluster.lan.up();
  const server = createServer((request, response) => {
    from = request.socket.remoteAddress;
    response.end('outside');
  });
  await new Promise<void>((resolve) => server.listen(8099, OUTSIDE, resolve));
  outside = server;
  for (const container of ALL) await launch(cluster, container);
}, 540_000);

afterAll(async () => {
  outside?.closeAllConnections();
  outside?.close();
  await cluster?.lan.down();
}, 60_000);

async function addressOf(container: Container): Promise<string | undefined> {
  const shown = await inside(cluster, container, 'ip -4 -o address show dev eth0 scope global');
  return /inet ([\d.]+)\//.exec(shown)?.[1];
}

const runIn = (container: Container) => (script: string) => inside(cluster, container, script);
const runAt = (pod: string) => (script: string) => cluster.lan.exec(pod, ['sh', '-c', script.replaceAll('ping', 'busybox ping')]);

describe('a container on a member', () => {
  it('rows 61 and 68: gets its reserved address, a stranger one of the pool, each on another node than the router', async () => {
    for (const container of WEBSPACES) {
      const has = async () => (await addressOf(container)) === container.address;
      await waitFor(`the lease of ${container.name}`, has, { timeoutMs: 60_000, intervalMs: 500 });
    }
    guest = (await waitFor('the lease of the guest', () => addressOf(GUEST), { timeoutMs: 60_000, intervalMs: 500 })) ?? '';
    expect(guest).toMatch(/^172\.24\.(19[2-9]|2\d\d)\./);
    expect(await inside(cluster, ONE, 'ip route')).toContain(`default via ${LAN.ipv4.router}`);
    const nodes = new Set((await cluster.pods()).map(({ spec }) => spec.nodeName));
    expect(nodes.size).toBe(3);
  }, 300_000);

  it('row 69: finds others by name', async () => {
    const answer = await inside(cluster, ONE, `nslookup ${OTHER.name}.${LAN.domain}`);
    expect(answer).toContain(OTHER.address);
  }, 60_000);

  it('row 70: reaches the outside, and is the router’s pod there', async () => {
    // Busybox's wget, when it is linked statically, may die of its resolver.
    const answer = await inside(cluster, OTHER, `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 10 ${OUTSIDE} 8099`);
    expect(answer).toMatch(/outside$/);
    expect(from).toBe((await cluster.lan.pod(LAN.router))?.status.podIP);
  }, 60_000);
});

describe('who may reach whom', () => {
  it('by IPv4: containers the router and the outside, the platform the containers', async () => {
    const pods = Object.fromEntries(
      (await cluster.pods()).map(({ metadata, status }) => [`pod ${metadata.name}`.replace(' ', '-'), status.podIP ?? '']),
    );
    const places = {
      router: LAN.ipv4.router,
      outside: OUTSIDE,
      neighbour: LAN.neighbourAddress,
      [ONE.name]: ONE.address,
      [BESIDE.name]: BESIDE.address,
      [OTHER.name]: OTHER.address,
      guest,
      ...pods,
      node: cluster.lab.profile.network.nodes.host,
      kubernetes: '10.96.0.1',
      metadata: '169.254.169.254',
    };
    for (const container of ALL) {
      const own = container.name;
      expect([own, (await answering(runIn(container), places)).filter((place) => place !== own)]).toEqual([own, ['router', 'outside']]);
    }
    const containers = [ONE.name, BESIDE.name, OTHER.name, 'guest'];
    expect(
      await answering(runAt(LAN.neighbour), { ...Object.fromEntries(WEBSPACES.map(({ name, address }) => [name, address])), guest }),
    ).toEqual(containers);
    expect(
      await answering(runAt(LAN.router), { ...Object.fromEntries(WEBSPACES.map(({ name, address }) => [name, address])), guest }),
    ).toEqual(containers);
  }, 180_000);

  it('by IPv6: the same', async () => {
    const six = ({ address }: { address: string }) => slaacOf(LAN.ipv6.subnet, macOf(address));
    const has = async () => (await inside(cluster, OTHER, 'ip -6 -o address show dev eth0')).includes(six(OTHER));
    await waitFor('an address by the router’s advertisement', has, { timeoutMs: 60_000, intervalMs: 500 });
    const places = {
      router: LAN.ipv6.router,
      neighbour: LAN.neighbourAddress6,
      [ONE.name]: six(ONE),
      [BESIDE.name]: six(BESIDE),
      [OTHER.name]: six(OTHER),
      'beside-link': `${linkLocalOf(macOf(BESIDE.address))}%eth0`,
    };
    for (const container of WEBSPACES) {
      const own = [container.name, ...(container === BESIDE ? ['beside-link'] : [])];
      expect([container.name, (await answering(runIn(container), places)).filter((place) => !own.includes(place))]).toEqual([
        container.name,
        ['router'],
      ]);
    }
    const containers = Object.fromEntries(WEBSPACES.map((webspace) => [webspace.name, six(webspace)]));
    expect(await answering(runAt(LAN.neighbour), containers)).toEqual(WEBSPACES.map(({ name }) => name));
  }, 180_000);

  it('what was refused is counted by the members', async () => {
    const pod = await cluster.pod('lxd-0');
    const state = (await http(`http://${pod.status.podIP}:9797/state`, { timeoutMs: 5_000 })).json<{
      ports: { guarded: boolean; webspaces: number; refused: Record<string, number> };
    }>();
    expect(state.ports).toMatchObject({ guarded: true, webspaces: 2 });
    expect(state.ports.refused['isolation']).toBeGreaterThan(0);
    report(
      'refused on a member',
      JSON.stringify(Object.fromEntries(Object.entries(state.ports.refused).filter(([, frames]) => frames > 0))),
    );
  }, 60_000);
});

describe('frames', () => {
  it('of 1 450 bytes pass, and larger packets are answered in pieces', async () => {
    const mtu = /mtu (\d+)/.exec(await inside(cluster, ONE, 'ip link show dev eth0'))?.[1];
    expect(mtu).toBe('1450');
    for (const size of [1450 - 28, 1450 - 27, 4_000])
      expect(await answering(runIn(ONE), { router: LAN.ipv4.router, outside: OUTSIDE }, size)).toEqual(['router', 'outside']);
  }, 60_000);
});

describe('a member whose pod is killed', () => {
  it('row 62: is flooded at its new address within two seconds, and its container is reached again', async () => {
    const before = (await cluster.pod(OTHER.member)).status.podIP;
    await cluster.kubectl(['delete', 'pod', OTHER.member, '--grace-period=0', '--force']);
    const address = await waitFor(
      'another address',
      async () => {
        const now = (await cluster.kube.pod(OTHER.member))?.status.podIP;
        return now !== undefined && now !== before && now;
      },
      { timeoutMs: 120_000, intervalMs: 50 },
    );
    const begun = Date.now();
    await waitFor('the router to flood to it', async () => (await cluster.lan.peersOfRouter()).includes(address), {
      timeoutMs: 20_000,
      intervalMs: 50,
    });
    report('a pod with another address is a peer', `${Date.now() - begun} ms after it had the address, with the time of the question`);
    const back = async () => (await answering(runAt(LAN.router), { [OTHER.name]: OTHER.address })).length === 1;
    await waitFor(`${OTHER.name} reached`, back, { timeoutMs: 120_000, intervalMs: 500 });
  }, 300_000);
});
