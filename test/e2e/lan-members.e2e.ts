import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { arp, BROADCAST, ETHERTYPE, ethernet, ipv4, udp } from '../support/frames/build.js';
import { RawLink } from '../support/frames/raw-link.js';
import { report } from '../support/lab-session.js';
import { type Attack, attacks } from '../support/lan/attacks.js';
import { BRIDGE, HOSTS, type HostName, MemberFiles, MemberNetwork } from '../support/lan/member-network.js';
import { MemberProcess } from '../support/lan/member-process.js';

/** Of each forbidden frame. */
const FRAMES = 5;
const PREFIX = `wslan-${(process.env['WEBSPACES_LAB'] ?? 'test').replace(/:.*/, '')}`;
const STRANGER = {
  name: 'somebody',
  status: 'Running',
  status_code: 103,
  type: 'container',
  location: 'one',
  created_at: '2026-01-01T00:00:00Z',
  last_used_at: '2026-01-01T00:00:00Z',
  profiles: ['default'],
  config: { 'volatile.eth0.host_name': HOSTS.stranger.port, 'volatile.eth0.hwaddr': HOSTS.stranger.mac },
  devices: {},
  expanded_devices: { eth0: { type: 'nic', nictype: 'bridged', parent: BRIDGE, name: 'eth0' } },
};

const network = new MemberNetwork(PREFIX);
const files = new MemberFiles();
const member = new MemberProcess(network, 'one', files);
const links = new Map<HostName | 'member', RawLink>();

beforeAll(async () => {
  await network.up();
  await files.start([STRANGER]);
  for (const host of Object.keys(HOSTS) as HostName[]) links.set(host, await RawLink.open(network.inside(host), 'eth0'));
  links.set('member', await RawLink.open(network.inside('one'), BRIDGE));
}, 120_000);

afterAll(async () => {
  for (const link of links.values()) link.close();
  await member.stop('SIGKILL');
  await network.down();
  await files.stop();
}, 60_000);

function linkOf(host: HostName | 'member'): RawLink {
  const link = links.get(host);
  if (!link) throw new Error(`nothing listens at ${host}`);
  return link;
}

/** Sends what is forbidden, and something allowed after it: once that has arrived, so would have all before. Gives who got it. */
async function attempt({ frame, from }: Attack): Promise<string[]> {
  const { mac, address } = HOSTS[from];
  const question = arp('request', { mac, ip: address }, { mac: '00:00:00:00:00:00', ip: HOSTS.router.address });
  const marker = ethernet({ from: mac, to: BROADCAST }, ETHERTYPE.arp, question);
  for (const link of links.values()) link.forget();
  await linkOf(from).send(frame, FRAMES);
  await linkOf(from).send(marker);
  for (const host of ['router', 'c'] as const)
    await waitFor(`the frame after it at ${host}`, () => linkOf(host).has(marker), { timeoutMs: 10_000, intervalMs: 5 });
  await Promise.all([...links.values()].map((link) => link.sync()));
  return [...links].flatMap(([host, link]) => (host !== from && link.has(frame) ? [host] : []));
}

async function counters(): Promise<Record<string, number>> {
  const text = await network.run('one', ['nft', '-j', 'list', 'counters', 'table', 'bridge', 'webspaces_ports']);
  const { nftables } = JSON.parse(text) as { nftables: { counter?: { name: string; packets: number } }[] };
  return Object.fromEntries(nftables.flatMap(({ counter }) => (counter ? [[counter.name.replace('refused_', ''), counter.packets]] : [])));
}

/** Row by row who gets an echo from whom. */
async function reachable(from: readonly HostName[], to: readonly HostName[], family: 'address' | 'address6'): Promise<string[]> {
  const cells: string[] = [];
  for (const one of from) {
    const answers = await Promise.all(
      to.filter((each) => each !== one).map(async (other) => [other, await network.reaches(one, HOSTS[other][family])] as const),
    );
    cells.push(`${one} -> ${answers.flatMap(([other, yes]) => (yes ? [other] : [])).join(' ')}`.trim());
  }
  return cells;
}

describe('without a guard', () => {
  it('every frame of the list arrives: the list can fail', async () => {
    for (const attack of attacks())
      expect([attack.what, await attempt(attack)]).toEqual([attack.what, expect.arrayContaining([attack.reaches])]);
    await network.forgetNeighbours();
  }, 120_000);
});

describe('a hostile container on a guarded member', () => {
  beforeAll(() => member.start(), 90_000);

  it('row 70: gets nothing of what it may not send to anybody, and each frame is counted', async () => {
    await waitFor('the stranger known', async () => (await member.seen()).strangers === 1, { timeoutMs: 20_000 });
    for (const attack of attacks()) {
      const before = await counters();
      const got = await attempt(attack);
      const after = await counters();
      const counted = Object.keys(after).filter((reason) => (after[reason] ?? 0) - (before[reason] ?? 0) >= FRAMES);
      expect([attack.what, got, counted]).toEqual([attack.what, [], [attack.reason]]);
    }
    const all = Object.values(await counters()).reduce((sum, count) => sum + count, 0);
    report('frames refused', `${all}, of ${attacks().length} kinds`);
  }, 180_000);

  it('is found in the metrics, by reason and by port', async () => {
    const shown = async () => {
      const metrics = await member.metrics();
      return (
        ['mac', 'arp', 'advertisement', 'dhcp_server'].every((reason) =>
          new RegExp(`^webspaces_lxd8s_refused_frames\\{reason="${reason}"\\} ([5-9]|\\d\\d)`, 'm').test(metrics),
        ) &&
        new RegExp(`^webspaces_lxd8s_port_refused_frames\\{port="${HOSTS.a.port}",address="${HOSTS.a.address}"\\} \\d{2,}`, 'm').test(
          metrics,
        )
      );
    };
    await waitFor('metrics of refused frames', shown, { timeoutMs: 15_000, intervalMs: 250 });
  }, 30_000);

  it('who may reach whom: containers the router only, services the containers, by IPv4 and IPv6', async () => {
    const all: HostName[] = ['a', 'b', 'c', 'stranger', 'router', 'service'];
    for (const family of ['address', 'address6'] as const) {
      expect(await reachable(['a', 'b', 'stranger', 'router', 'service'], all, family)).toEqual([
        'a -> router',
        'b -> router',
        'stranger -> router',
        'router -> a b c stranger service',
        'service -> a b c stranger router',
      ]);
    }
  }, 120_000);

  it('of a member that guards nothing does not reach the containers of one that does', async () => {
    const { c, a } = HOSTS;
    const frame = ethernet(
      { from: c.mac, to: a.mac },
      ETHERTYPE.ipv4,
      ipv4({ from: c.address, to: a.address }, { protocol: 17 }, udp(1, 2, Buffer.from('hello'))),
    );
    const before = (await counters())['foreign'] ?? 0;
    linkOf('a').forget();
    await linkOf('c').send(frame, FRAMES);
    await waitFor('it counted', async () => ((await counters())['foreign'] ?? 0) >= before + FRAMES, { timeoutMs: 10_000 });
    expect(linkOf('a').has(frame)).toBe(false);
  }, 30_000);
});

/** Until it reaches the router: it may have asked in vain for the router's address a moment ago, and asks again in a second. */
const reached = (host: HostName) =>
  waitFor(`${host} to reach the router`, () => network.reaches(host, HOSTS.router.address), { timeoutMs: 10_000 });

describe('a new port', () => {
  const opened = async () =>
    (await network.run('one', ['nft', 'list', 'set', 'bridge', 'webspaces_ports', 'ports'])).includes(`"${HOSTS.b.port}"`);

  it('is open within a second, and its container gets an answer', async () => {
    const waits: number[] = [];
    for (let round = 0; round < 5; round++) {
      links.get('b')?.close();
      links.delete('b');
      await network.add('b');
      const begun = performance.now();
      await waitFor('the port open', opened, { timeoutMs: 10_000, intervalMs: 5 });
      waits.push(performance.now() - begun);
      await reached('b');
    }
    report('a new port waits for its rules', `${waits.map((ms) => ms.toFixed(0)).join(', ')} ms after its container is up`);
    expect(Math.max(...waits)).toBeLessThan(1_000);
  }, 60_000);

  it('stays closed while the member’s process is dead, and old ones stay guarded and open', async () => {
    await network.remove('b');
    await waitFor('the port forgotten', async () => !(await opened()), { timeoutMs: 10_000 });
    await member.stop('SIGKILL');
    await network.add('b');
    expect(await network.reaches('b', HOSTS.router.address)).toBe(false);
    expect(await network.reaches('a', HOSTS.router.address)).toBe(true);
    const spoof = attacks().find(({ reason }) => reason === 'mac');
    expect(spoof && (await attempt(spoof))).toEqual([]);
    await member.start();
    await waitFor('the port open', opened, { timeoutMs: 10_000 });
    await reached('b');
  }, 120_000);
});

describe('rules', () => {
  it('that somebody takes away by hand come back', async () => {
    await network.run('one', ['nft', 'flush', 'chain', 'bridge', 'webspaces_ports', 'from_port']);
    await network.run('one', ['nft', 'flush', 'set', 'bridge', 'webspaces_ports', 'macs']);
    const whole = async () => (await network.run('one', ['nft', 'list', 'table', 'bridge', 'webspaces_ports'])).includes('goto ipv6_from');
    await waitFor('the rules', whole, { timeoutMs: 15_000 });
    await reached('a');
    await network.run('one', ['nft', 'delete', 'table', 'bridge', 'webspaces_ports']);
    await waitFor('the table', whole, { timeoutMs: 15_000 });
    await reached('a');
  }, 60_000);

  it('let containers reach each other where the platform says so, and nobody another’s address', async () => {
    await member.stop('SIGTERM');
    await member.start({ isolation: 'lan' });
    links.set('b', await RawLink.open(network.inside('b'), 'eth0'));
    expect(await reachable(['a', 'b'], ['a', 'b', 'c', 'router', 'service'], 'address')).toEqual([
      'a -> b c router service',
      'b -> a c router service',
    ]);
    const still = attacks().filter(({ reason }) => !['isolation', 'broadcast', 'fragment'].includes(reason));
    for (const attack of still) expect([attack.what, await attempt(attack)]).toEqual([attack.what, []]);
  }, 120_000);
});
