import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Sandbox } from '#lab/sandbox.js';
import { waitFor } from '#lab/wait.js';
import { linkLocalOf } from '#libs/domain/lan.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import {
  arp,
  BROADCAST,
  dhcpOffer,
  ETHERTYPE,
  ethernet,
  icmpv6,
  ipv4,
  ipv6,
  neighbourAdvert,
  routerAdvert,
  tagged,
  udp,
} from '../support/frames/build.js';
import { RawLink } from '../support/frames/raw-link.js';
import { openSession, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';

const FRAMES = 3;
const NOBODY = '00:00:00:00:00:00';
const ALL_NODES = { mac: '33:33:00:00:00:01', ip: 'ff02::1' };

interface Host {
  readonly mac: string;
  readonly address: string;
  readonly link: RawLink;
}

let session: Session;
let hostile: Host;
let victim: Host;
let gateway: Host;

beforeAll(async () => {
  session = await openSession();
  const { members, lab } = session;
  await members.running(members.one(40), members.one(41));
  [hostile, victim] = [await hostOf(members.one(40)), await hostOf(members.one(41))];
  const { bridge, bridgeAddress } = lab.profile.network;
  const mac = (await lab.sandboxExec(['/bin/cat', `/sys/class/net/${bridge}/address`])).trim();
  gateway = { mac, address: bridgeAddress.replace(/\/.*/, ''), link: await RawLink.open(intoSandbox(), bridge) };
}, 300_000);

afterAll(async () => {
  for (const host of [hostile, victim, gateway]) host?.link.close();
  await session?.close();
}, 120_000);

function intoSandbox(): string[] {
  const { command, args } = new Sandbox(session.lab.profile).inside([]);
  return [command, ...(args ?? [])];
}

/** A webspace with a raw socket in it, as its root may open one. */
async function hostOf(member: Member): Promise<Host> {
  const { lab, members } = session;
  const { network } = await members.record(member);
  const said = await lab.lxc(['info', member.webspace]);
  const pid = /^PID: (\d+)$/m.exec(said)?.[1] ?? '';
  const mac = (await lab.lxc(['config', 'get', member.webspace, 'volatile.eth0.hwaddr'])).trim();
  const link = await RawLink.open([...intoSandbox(), 'nsenter', '-t', pid, '-n'], 'eth0');
  return { mac, address: network.address, link };
}

/** Who got it; something allowed that was sent after it has arrived. */
async function attempt(frame: Buffer): Promise<string[]> {
  const hosts = { gateway, victim };
  for (const { link } of Object.values(hosts)) link.forget();
  const question = arp('request', { mac: hostile.mac, ip: hostile.address }, { mac: NOBODY, ip: gateway.address });
  const marker = ethernet({ from: hostile.mac, to: BROADCAST }, ETHERTYPE.arp, question);
  await hostile.link.send(frame, FRAMES);
  await hostile.link.send(marker);
  await waitFor('the frame after it', () => gateway.link.has(marker), { timeoutMs: 10_000, intervalMs: 5 });
  for (const { link } of Object.values(hosts)) await link.sync();
  return Object.entries(hosts).flatMap(([name, { link }]) => (link.has(frame) ? [name] : []));
}

describe('a hostile webspace on a bridge of LXD’s', () => {
  const text = Buffer.from('a hostile container');
  const v4 = (mac: { from: string; to: string }, from: string, to: string, payload = udp(4_000, 4_000, text)) =>
    ethernet(mac, ETHERTYPE.ipv4, ipv4({ from, to }, { protocol: 17 }, payload));
  const v6 = (type: number, body: Buffer) => {
    const from = linkLocalOf(hostile.mac);
    const message = icmpv6({ from, to: ALL_NODES.ip }, type, body);
    return ethernet({ from: hostile.mac, to: ALL_NODES.mac }, ETHERTYPE.ipv6, ipv6({ from, to: ALL_NODES.ip }, 58, message));
  };
  const toGateway = () => ({ from: hostile.mac, to: gateway.mac });
  const toAll = () => ({ from: hostile.mac, to: BROADCAST });

  it.each<[string, () => Buffer]>([
    ["another's IPv4 address", () => v4(toGateway(), victim.address, '203.0.113.9')],
    ["another's MAC", () => v4({ from: victim.mac, to: gateway.mac }, victim.address, '203.0.113.9')],
    ["the bridge's IPv4 address", () => v4({ from: hostile.mac, to: victim.mac }, gateway.address, victim.address)],
    [
      "an ARP answer with the bridge's address",
      () =>
        ethernet(toAll(), ETHERTYPE.arp, arp('reply', { mac: hostile.mac, ip: gateway.address }, { mac: BROADCAST, ip: victim.address })),
    ],
    [
      "an ARP answer with another's address",
      () =>
        ethernet(
          toGateway(),
          ETHERTYPE.arp,
          arp('reply', { mac: hostile.mac, ip: victim.address }, { mac: gateway.mac, ip: gateway.address }),
        ),
    ],
    ['a router advertisement', () => v6(134, routerAdvert('fd00:bad::', hostile.mac))],
    ["a neighbour advertisement of another's address", () => v6(136, neighbourAdvert(linkLocalOf(victim.mac), hostile.mac))],
    ['a frame with the tag of a VLAN', () => tagged(v4(toGateway(), hostile.address, '203.0.113.9'), 7)],
    ["a tagged frame with another's address", () => tagged(v4(toGateway(), victim.address, '203.0.113.9'), 7)],
    ['a frame of another protocol', () => ethernet(toGateway(), ETHERTYPE.lldp, text)],
  ])(
    '%s: reaches nobody',
    async (_, frame) => {
      expect(await attempt(frame())).toEqual([]);
    },
    30_000,
  );

  it.each<[string, () => Buffer]>([
    [
      'an answer of DHCP to all',
      () => v4(toAll(), hostile.address, '255.255.255.255', udp(67, 68, dhcpOffer(hostile.address, '10.1.1.1', victim.mac))),
    ],
    [
      'an answer of DHCP to one',
      () =>
        v4(
          { from: hostile.mac, to: victim.mac },
          hostile.address,
          victim.address,
          udp(67, 68, dhcpOffer(hostile.address, '10.1.1.1', victim.mac)),
        ),
    ],
    ['a frame to a neighbour', () => v4({ from: hostile.mac, to: victim.mac }, hostile.address, victim.address)],
  ])(
    '%s: does not reach the neighbour',
    async (_, frame) => {
      expect(await attempt(frame())).not.toContain('victim');
    },
    30_000,
  );

  it('and what is allowed arrives', async () => {
    expect(await attempt(v4(toGateway(), hostile.address, gateway.address))).toEqual(['gateway']);
  }, 30_000);
});

describe('a guarded webspace', () => {
  it('starts again after LXD itself was started again', async () => {
    const { lab, members } = session;
    const member = members.one(41);
    await lab.process('lxd').kill('SIGKILL');
    await lab.process('lxd').start();
    await members.expect(204, member, 'DELETE', '/state');
    await members.expect(204, member, 'POST', '/state');
    await members.served(member);
  }, 120_000);
});

describe('a webspace that was made before', () => {
  it('is guarded from its next planned start on', async () => {
    const { lab, members } = session;
    const member = members.one(41);
    const name = member.webspace;
    const lxd = createLxdClient({ socket: lab.lxdSocket });
    try {
      await members.expect(204, member, 'DELETE', '/state');
      const { network } = await members.record(member);
      const eth0 = { type: 'nic', name: 'eth0', network: lab.profile.network.bridge, 'ipv4.address': network.address };
      await lab.lxc(['query', '--wait', '-X', 'PATCH', '-d', JSON.stringify({ devices: { eth0 } }), `/1.0/instances/${name}`]);
      expect((await lxd.instances.get(name)).value.devices['eth0']).toEqual(eth0);
      await members.expect(204, member, 'POST', '/state');
      const { devices } = (await lxd.instances.get(name)).value;
      expect(devices['eth0']).toMatchObject({
        'security.mac_filtering': 'true',
        'security.ipv4_filtering': 'true',
        'security.port_isolation': 'true',
      });
      await members.served(member);
    } finally {
      lxd.close();
    }
  }, 120_000);
});
