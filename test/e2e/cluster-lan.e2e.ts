import { createSocket } from 'node:dgram';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { LAN, lanOfNodes } from '#lab/cluster/lan.js';
import { OUTSIDE } from '#lab/cluster/lan-lab.js';
import { nodeSandbox } from '#lab/cluster/node.js';
import { waitFor } from '#lab/wait.js';
import { linkLocalOf, macOf, slaacOf } from '#libs/domain/lan.js';
import { ETHERTYPE, ethernet, ipv4, udp, vxlan } from '../support/frames/build.js';
import { report } from '../support/lab-session.js';
import { ClusterAttack, metricAt } from '../support/lan/cluster-attack.js';
import { answering, type Container, inside, launch } from '../support/lan/cluster-containers.js';

const ONE = { name: 'ws-u1', member: 'lxd-0', address: '172.24.1.10' };
const BESIDE = { name: 'ws-u2', member: 'lxd-0', address: '172.24.1.11' };
const OTHER = { name: 'ws-u3', member: 'lxd-1', address: '172.24.1.12' };
/** Of no webspace, as one of the original's would be. */
const GUEST: Container = { name: 'guest', member: 'lxd-2' };
const WEBSPACES = [ONE, BESIDE, OTHER];
const ALL: readonly Container[] = [...WEBSPACES, GUEST];
/** Of each forbidden kind. */
const FRAMES = 3;

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
    const state = JSON.parse(await cluster.exec('lxd-0', ['curl', '-sf', '-m', '5', 'http://127.0.0.1:9797/state'])) as {
      readonly ports: { readonly guarded: boolean; readonly webspaces: number; readonly refused: Readonly<Record<string, number>> };
    };
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

describe('a hostile container, with raw sockets', () => {
  let hostile: ClusterAttack;
  beforeAll(async () => {
    hostile = await ClusterAttack.open(cluster, { a: ONE, b: BESIDE, c: OTHER, stranger: { ...GUEST, address: guest } });
  }, 120_000);
  afterAll(() => hostile?.close());

  const addressOfPod = async (name: string) => (await cluster.lan.pod(name))?.status.podIP ?? '';
  const refusedAt = async (member: string, reason: string) =>
    metricAt(`http://${await addressOfPod(member)}:9797`, `webspaces_lxd8s_refused_frames{reason="${reason}"}`);

  it('row 70: nobody gets what it may not send, and all of it is counted in the metrics of its member', async () => {
    const { a, router } = hostile.targets.hosts;
    const allowed = ethernet(
      { from: a.mac, to: router.mac },
      ETHERTYPE.ipv4,
      ipv4({ from: a.address, to: router.address }, { protocol: 17 }, udp(4_000, 53, Buffer.from('allowed'))),
    );
    // Others of the overlay, too, while nobody has learned where the router is.
    expect(await hostile.attempt({ from: 'a', frame: allowed }, FRAMES)).toContain('router');
    const expected = new Map<string, { member: string; reason: string; frames: number }>();
    for (const attack of hostile.attacks()) {
      const { member } = attack.from === 'stranger' ? GUEST : ONE;
      const key = `${member} ${attack.reason}`;
      const before = expected.get(key) ?? { member, reason: attack.reason, frames: await refusedAt(member, attack.reason) };
      expected.set(key, { ...before, frames: before.frames + FRAMES });
      expect([attack.what, await hostile.attempt(attack, FRAMES)]).toEqual([attack.what, []]);
    }
    for (const { member, reason, frames } of expected.values()) {
      await waitFor(`${frames} frames counted as ${reason} by ${member}`, async () => (await refusedAt(member, reason)) >= frames, {
        timeoutMs: 20_000,
        intervalMs: 250,
      });
    }
    report('kinds of forbidden frames from real containers', `${hostile.attacks().length}, ${FRAMES} of each, none arrived`);
  }, 240_000);

  it('takes another’s MAC and address in vain, and does the other no harm', async () => {
    const mac = macOf(BESIDE.address);
    const reached = async (name: string) =>
      (await inside(cluster, BESIDE, `ping -c 2 -W 1 ${name} > /dev/null && echo yes || echo no`)).trim();
    const steal = `ip address add ${OTHER.address}/16 dev eth0; ip link set dev eth0 address`;
    await inside(cluster, BESIDE, `${steal} ${macOf(OTHER.address)}`);
    expect(await reached(`-I ${OTHER.address} ${LAN.ipv4.router}`)).toBe('no');
    await inside(cluster, BESIDE, `ip link set dev eth0 address ${mac}`);
    expect(await reached(`-I ${OTHER.address} ${LAN.ipv4.router}`)).toBe('no');
    expect(await answering(runAt(LAN.router), { [OTHER.name]: OTHER.address })).toEqual([OTHER.name]);
    await inside(cluster, BESIDE, `ip address del ${OTHER.address}/16 dev eth0`);
    await waitFor('it to be itself again', async () => (await reached(LAN.ipv4.router)) === 'yes', { timeoutMs: 20_000 });
  }, 120_000);

  it('is refused LXD’s port of every member and Kubernetes’ API by the router, which counts it', async () => {
    const router = `http://${await addressOfPod(LAN.router)}:8185`;
    const refused = () => metricAt(router, 'webspaces_kuberouter_refused_packets_total{reason="private"}');
    const places = [...(await cluster.pods()).map(({ status }) => `${status.podIP} 8443`), '10.96.0.1 443'];
    for (const place of places) {
      const before = await refused();
      const said = await inside(cluster, ONE, `echo | nc -w 3 ${place} > /dev/null 2>&1 && echo open || echo refused`);
      expect([place, said.trim()]).toEqual([place, 'refused']);
      expect(await refused()).toBeGreaterThan(before);
    }
  }, 120_000);

  it('who is on the pods’ network and no peer puts no frame on the LAN, and is counted', async () => {
    const { c, router } = hostile.targets.hosts;
    const frame = ethernet(
      { from: router.mac, to: c.mac },
      ETHERTYPE.ipv4,
      ipv4({ from: router.address, to: c.address }, { protocol: 17 }, udp(1, 2, Buffer.from('from a stranger'))),
    );
    const member = await addressOfPod(OTHER.member);
    const refused = () => metricAt(`http://${member}:8181`, 'webspaces_kubelan_refused_packets{why="no_peer"}');
    const before = await refused();
    hostile.link('c').forget();
    const socket = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      socket.send(vxlan(hostile.targets.member.vni, frame), 4789, member, (error) => (error ? reject(error) : resolve()));
    });
    socket.close();
    await waitFor('it counted', async () => (await refused()) > before, { timeoutMs: 20_000, intervalMs: 250 });
    await hostile.link('c').sync();
    expect(hostile.link('c').has(frame)).toBe(false);
  }, 60_000);
});

describe('as a DaemonSet', () => {
  it('joins the nodes themselves to a network of their own, and leaves nothing when it goes', async () => {
    const exec = (pod: string, ...command: string[]) => cluster.lan.exec(pod, command);
    await cluster.kube.apply(lanOfNodes());
    await cluster.kubectl(['rollout', 'status', `daemonset/${LAN.nodes}`, '--timeout=120s']);
    const pods = (await cluster.kubectl(['get', 'pods', '-l', `app=${LAN.nodes}`, '-o', 'name'])).trim().split('\n');
    const nodes = (await cluster.kubectl(['get', 'nodes', '-o', 'name'])).trim().split('\n');
    expect(pods.length).toBe(nodes.length);
    const linkLocal = async (pod: string) =>
      /inet6 (fe80[^/]*)/.exec(await exec(pod, 'ip', '-6', '-o', 'address', 'show', 'dev', LAN.nodesInterface))?.[1] ?? '';
    for (const pod of pods) {
      const others = await Promise.all(
        pods.filter((other) => other !== pod).map(async (other) => [other, await linkLocal(other)] as const),
      );
      for (const [other, address] of others) {
        const there = async () => exec(pod, 'busybox', 'ping', '-6', '-c', '1', '-W', '1', `${address}%${LAN.nodesInterface}`);
        await waitFor(`${other} from ${pod}`, async () => (await there()).includes(' 0% packet loss'), {
          timeoutMs: 60_000,
          intervalMs: 250,
        });
      }
    }
    const sandboxes = nodes.map((node) => nodeSandbox(cluster.lab.profile, Number(node.replace('node/node-', ''))));
    const withIt = async () => {
      const links = await Promise.all(sandboxes.map((sandbox) => sandbox.exec(['ip', '-o', 'link', 'show'])));
      return links.filter((text) => text.includes(`${LAN.nodesInterface}:`)).length;
    };
    expect(await withIt()).toBe(nodes.length);
    await cluster.kubectl(['delete', 'daemonset,service', LAN.nodes, '--wait']);
    await waitFor('its interfaces to go', async () => (await withIt()) === 0, { timeoutMs: 60_000, intervalMs: 250 });
  }, 300_000);
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
