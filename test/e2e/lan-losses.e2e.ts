import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { projectRoot } from '#lab/project.js';
import { waitFor } from '#lab/wait.js';
import { report, times } from '../support/lab-session.js';
import type { Place } from '../support/lan-place.js';
import { LanWorld } from '../support/lan-world.js';

const [A, B, C] = ['172.24.0.1', '172.24.0.2', '172.24.0.3'] as const;
const PORT = 7000;
const RATE = 1_000;
/** So many frames take a while. */
const AWAY_FRAMES = RATE * times({ short: 5, full: 60 });
const YEAR_MS = 365 * 24 * 3_600_000;
/** In each one other comes and goes. */
const ROUNDS = times({ short: 20, full: 100 });
const DEADLINE = { timeoutMs: 90_000 };
const SERVICE = 'lan-traffic';

let world: LanWorld;
let sender: Place;
let receiver: Place;
let frames: Frames;

const settings = (address: string, more: object = {}) => ({
  lan: { services: [SERVICE] },
  addresses: [`${address}/16`],
  bridge: 'lxd-lan',
  resyncSeconds: 2,
  ...more,
});
const members = (...others: readonly string[]) => world.slice(SERVICE, 'lan-traffic-1', [sender.underlay, receiver.underlay, ...others]);
const seen = (place: Place, count: number) =>
  waitFor(`${count} peers`, async () => (await place.peers()).length === count, { ...DEADLINE, intervalMs: 20 });

/** From the sender to the receiver, whose kernel counts: a receiver's process would lose what it is too slow for. */
class Frames {
  readonly #process: ChildProcess;
  #printed = '';

  private constructor(place: Place) {
    const script = join(projectRoot(), 'dist', 'test', 'support', 'lan-frames.js');
    this.#process = spawn(
      'ip',
      ['netns', 'exec', place.namespace, process.execPath, script, A, B, '172.24.255.255', String(PORT), String(RATE)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#printed += text;
    });
  }

  static async start(): Promise<Frames> {
    await receiver.exec(
      ['nft', '-f', '-'],
      `add table inet frames
delete table inet frames
table inet frames {
  counter unicast { }
  counter flooded { }
  chain input {
    type filter hook input priority 0;
    udp dport ${PORT} ip daddr ${B} counter name unicast drop
    udp dport ${PORT} ip daddr 172.24.255.255 counter name flooded drop
  }
}
`,
    );
    const frames = new Frames(sender);
    await waitFor('frames', async () => (await frames.arrived()).flooded > 100, DEADLINE);
    return frames;
  }

  async arrived(): Promise<{ unicast: number; flooded: number }> {
    const { nftables } = await receiver.json<{ nftables: { counter?: { name: string; packets: number } }[] }>([
      'nft',
      '-j',
      'list',
      'counters',
      'table',
      'inet',
      'frames',
    ]);
    const packets = (name: string) => nftables.find(({ counter }) => counter?.name === name)?.counter?.packets ?? 0;
    return { unicast: packets('unicast'), flooded: packets('flooded') };
  }

  /** What was sent and did not arrive, and how much was sent of each kind. */
  async stop(): Promise<{ lost: number; sent: number }> {
    this.#process.kill('SIGTERM');
    await once(this.#process, 'close');
    const sent = JSON.parse(this.#printed.split('\n')[1] ?? '{}') as { unicast: number; flooded: number; failed: number };
    const arrived = await this.arrived();
    return { lost: sent.unicast - arrived.unicast + sent.flooded - arrived.flooded + sent.failed, sent: sent.unicast };
  }

  end(): void {
    this.#process.kill('SIGKILL');
  }
}

beforeAll(async () => {
  world = await LanWorld.open();
  [sender, receiver] = [await world.place(), await world.place()];
  await members();
  await Promise.all([sender.start(settings(A)), receiver.start(settings(B))]);
  await Promise.all([seen(sender, 1), seen(receiver, 1)]);
}, 300_000);
afterAll(() => world?.close(), 60_000);

describe('1 000 frames a second to one and 1 000 to all, while kubelan works', () => {
  beforeEach(async () => {
    frames = await Frames.start();
  }, 180_000);
  afterEach(() => frames.end());

  const nothingLost = async (what: string) => {
    const { lost, sent } = await frames.stop();
    report(what, `${lost} of 2 × ${sent} frames lost`);
    expect(sent).toBeGreaterThan(500);
    expect(lost).toBe(0);
  };

  it('row 62: none is lost while others come and go all the time', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await members(world.nobody(round + 1));
      await seen(sender, 2);
      await members();
      await seen(sender, 1);
    }
    await nothingLost(`others came and went ${2 * ROUNDS} times`);
    expect(await sender.metric('peers')).toBe(1);
  }, 480_000);

  it('row 66: none is lost while both are killed and started, and the interface, its MAC and its bridge stay', async () => {
    const before = await sender.link();
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      for (const place of [sender, receiver]) await place.end(signal);
      for (const place of [sender, receiver]) await place.start();
    }
    const { ifindex, address, master } = await sender.link();
    expect({ ifindex, address, master }).toEqual({ ifindex: before.ifindex, address: before.address, master: 'lxd-lan' });
    await nothingLost('killed and started twice');
  }, 240_000);

  it('row 66: none is lost while it is configured anew, and only what differs is changed', async () => {
    const before = await sender.link();
    sender.configure(settings(A, { ageingSeconds: 60, addresses: [`${A}/16`, '172.24.7.7/16'], lan: { services: [SERVICE, 'lan-more'] } }));
    await waitFor('the further address', async () => (await sender.exec(['ip', 'address'])).includes('172.24.7.7'), DEADLINE);
    // A Service that did not exist when it was named.
    await world.slice('lan-more', 'lan-more-1', [world.nobody(5)]);
    await seen(sender, 2);
    await world.removeSlice('lan-more-1');
    await seen(sender, 1);
    sender.configure({ addresses: 'nonsense' });
    await waitFor('its refusal', () => sender.log().includes('the changed configuration cannot be used'), DEADLINE);
    sender.configure(settings(A));
    await waitFor('the further address to go', async () => !(await sender.exec(['ip', 'address'])).includes('172.24.7.7'), DEADLINE);
    expect((await sender.link()).ifindex).toBe(before.ifindex);
    await sender.healthy();
    await nothingLost('configured anew three times');
  }, 240_000);

  it('none is lost while the API server is away, nor by a restart meanwhile; what changed is taken over when it is back', async () => {
    await world.apiServerAway();
    await members(world.nobody(9));
    const { unicast } = await frames.arrived();
    await waitFor('frames meanwhile', async () => (await frames.arrived()).unicast >= unicast + AWAY_FRAMES, {
      timeoutMs: 240_000,
      intervalMs: 500,
    });
    await sender.end('SIGKILL');
    await sender.launch();
    const health = () => waitFor('an answer', async () => (await fetch(`${sender.url}/health`)).status, DEADLINE);
    expect(await health()).toBe(500);
    expect(await receiver.peers()).toEqual([sender.underlay]);
    expect(await sender.peers()).toEqual([receiver.underlay]);
    await world.apiServerBack();
    await Promise.all([seen(sender, 2), seen(receiver, 2)]);
    await members();
    await Promise.all([seen(sender, 1), seen(receiver, 1)]);
    await sender.healthy();
    await nothingLost('without an API server');
  }, 480_000);

  it('none is lost when the clock jumps a year ahead, and back; what changes meanwhile is taken over', async () => {
    await sender.end();
    sender.clock.set(0);
    await sender.start();
    for (const [at, aheadMs] of [YEAR_MS, -YEAR_MS, 0].entries()) {
      sender.clock.set(aheadMs);
      await members(world.nobody(20 + at));
      await seen(sender, 2);
      await members();
      await seen(sender, 1);
      await sender.healthy();
      const age = await sender.metric('sync_age_seconds');
      expect(age).toBeGreaterThanOrEqual(0);
      expect(age).toBeLessThan(60);
    }
    for (const aheadMs of [YEAR_MS, -YEAR_MS]) {
      expect(sender.log()).toContain(`"time":"${new Date(Date.now() + aheadMs).toISOString().slice(0, 10)}`);
    }
    await nothingLost('the clock was set three times');
  }, 240_000);
});

describe('what kubelan puts right', () => {
  it('row 66: another VNI makes the interface anew, with its MAC and its bridge', async () => {
    const before = await sender.link();
    for (const [place, address] of [
      [sender, A],
      [receiver, B],
    ] as const)
      place.configure(settings(address, { lan: { services: [SERVICE], vni: 7000 } }));
    await waitFor('the new interface', async () => (await sender.link()).ifindex !== before.ifindex, DEADLINE);
    await sender.healthy();
    const after = await sender.link();
    expect({ address: after.address, master: after.master }).toEqual({ address: before.address, master: 'lxd-lan' });
    await waitFor('the way', async () => (await sender.try(['ping', '-c', '1', '-W', '1', B])).exitCode === 0, DEADLINE);
  }, 180_000);

  it('a removed interface, a removed peer and a peer too many are put right; what others have set is left alone', async () => {
    const theirs = ['fdb', 'append', '02:00:00:00:00:aa', 'dev', 'webspaces-lan', 'dst', world.nobody(77), 'self', 'static'];
    await sender.exec(['ip', 'link', 'delete', 'webspaces-lan']);
    await waitFor('the interface', async () => (await sender.try(['ping', '-c', '1', '-W', '1', B])).exitCode === 0, DEADLINE);
    await sender.exec(['bridge', ...theirs]);
    await sender.exec([
      'bridge',
      'fdb',
      'append',
      '00:00:00:00:00:00',
      'dev',
      'webspaces-lan',
      'dst',
      world.nobody(78),
      'self',
      'permanent',
    ]);
    await sender.exec(['bridge', 'fdb', 'del', '00:00:00:00:00:00', 'dev', 'webspaces-lan', 'dst', receiver.underlay, 'self']);
    await waitFor('the flood list', async () => JSON.stringify(await sender.peers()) === JSON.stringify([receiver.underlay]), DEADLINE);
    expect(await sender.exec(['bridge', 'fdb', 'show', 'dev', 'webspaces-lan'])).toContain('02:00:00:00:00:aa');
  }, 180_000);

  it('a pod of the same name that comes back with another address is reached in less than 2 s', async () => {
    const first = await world.place();
    await members(first.underlay);
    await first.start(settings(C, { lan: { services: [SERVICE], vni: 7000 } }));
    await waitFor('the way', async () => (await sender.try(['ping', '-c', '1', '-W', '1', C])).exitCode === 0, DEADLINE);
    await first.end('SIGKILL');
    await first.exec(['ip', 'link', 'set', 'eth0', 'down']);
    const second = await world.place();
    // Its interface is there, as that of a pod is before it gets into the slice.
    await second.start(settings(C, { lan: { services: [SERVICE], vni: 7000 } }));
    const begun = performance.now();
    await members(second.underlay);
    await waitFor('the way', async () => (await sender.try(['ping', '-c', '1', '-W', '0.2', C])).exitCode === 0, {
      timeoutMs: 30_000,
      intervalMs: 5,
    });
    const tookMs = performance.now() - begun;
    report('same name, another address: reachable after', `${Math.round(tookMs)} ms`);
    expect(tookMs).toBeLessThan(2_000);
    await second.end();
    await members();
  }, 240_000);

  it('a Service with 1 000 addresses in ten slices is in the kernel, and gone again, in less than 1 s after it was read', async () => {
    const all = Array.from({ length: 1_000 }, (_, at) => `10.99.${Math.floor(at / 250)}.${(at % 250) + 1}`);
    for (let slice = 0; slice < 10; slice++) await world.slice(SERVICE, `lan-many-${slice}`, all.slice(slice * 100, slice * 100 + 100));
    await seen(sender, 1_001);
    expect(await sender.exec(['nft', 'list', 'set', 'inet', 'webspaces_lan', 'peers4'])).toContain('10.99.3.250');
    for (let slice = 0; slice < 10; slice++) await world.removeSlice(`lan-many-${slice}`);
    await seen(sender, 1);
    expect(await sender.exec(['nft', 'list', 'set', 'inet', 'webspaces_lan', 'peers4'])).not.toContain('10.99.');
    await sender.exec(['ping', '-c', '1', '-W', '2', B]);
  }, 240_000);

  it('works over IPv6 alone, at the underlay MTU less 70', async () => {
    const [one, other] = [await world.place('ipv6'), await world.place('ipv6')];
    await world.slice('lan-six', 'lan-six-1', [one.underlay, other.underlay]);
    // The same pods by their other addresses.
    await world.slice('lan-six', 'lan-six-4', [sender.underlay]);
    for (const [place, address] of [
      [one, '172.24.6.1'],
      [other, '172.24.6.2'],
    ] as const) {
      await place.start({ lan: { services: ['lan-six'] }, addresses: [`${address}/16`, `fd24::${address.split('.').at(-1)}/64`] });
    }
    expect(await one.peers()).toEqual([other.underlay]);
    expect((await one.link()).mtu).toBe(1430);
    await one.exec(['ping', '-M', 'do', '-s', '1402', '-c', '1', '-W', '2', '172.24.6.2']);
    await one.exec(['ping', '-c', '1', '-W', '2', 'fd24::2']);
  }, 240_000);
});
