import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { gatewayPortsBeside } from '#lab/gateway-ports.js';
import { waitFor } from '#lab/wait.js';
import { openSession, report, type Session, times } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { dial, forward, kernelHas, portsStatus, serveInside, talk, udpInside } from '../support/ports.js';
import { countStarts, type Starts } from '../support/starts.js';

const ECHO = 50_101;
const HELLO = 50_102;
const WEB = 50_103;
const ALL = [`tcp-${ECHO}`, `tcp-${HELLO}`, `tcp-${WEB}`];
/** Of 1 000 at once the web server in the container resets most itself, also when the gateway is not in the way. */
const AT_ONCE = times({ short: 200, full: 400 });

let session: Session;
let member: Member;
let starts: Starts;
beforeAll(async () => {
  session = await openSession();
  member = session.members.one(0);
  await session.members.running(member);
  await serveInside(session.lab, member, { 7001: '/bin/cat', 7002: '/bin/hostname' });
  for (const [external, internal] of [
    [ECHO, 7001],
    [HELLO, 7002],
    [WEB, 80],
  ] as const)
    await forward(session.members, member, external, internal);
  starts = await countStarts(session.lab);
}, 180_000);
afterAll(async () => {
  await starts?.close();
  await session?.close();
}, 120_000);

const off = async () => {
  await session.lab.lxc(['stop', '--force', member.webspace]).catch((error: unknown) => {
    if (!/already stopped/i.test(String(error))) throw error;
  });
  await kernelHas(session.lab, member);
  await waitFor('the stop to be seen', async () => phase().then((now) => now === 'stopped'), { timeoutMs: 15_000, intervalMs: 20 });
};
const phase = async () => ((await session.cluster.find('webspace', member.webspace))?.['status'] as { phase?: string } | undefined)?.phase;
const page = () => talk(session.lab, WEB, 'GET /cgi-bin/request HTTP/1.0\r\n\r\n');

describe('row 27: a forwarded port of a webspace that is off', () => {
  beforeEach(off, 60_000);

  it('boots it, and each of its ports reaches its own', async () => {
    const before = starts.of(member.webspace);
    const [echo, hello, web] = await Promise.all([talk(session.lab, ECHO, 'to the echo'), talk(session.lab, HELLO, ''), page()]);
    expect(echo).toBe('to the echo');
    expect(hello.trim()).toBe(member.webspace);
    expect(web).toContain(`container ${member.webspace}`);
    expect(starts.of(member.webspace)).toBe(before + 1);
  }, 60_000);

  it(`is answered to ${AT_ONCE} connections at once, by one start`, async () => {
    const before = starts.of(member.webspace);
    const pages = await Promise.all(Array.from({ length: AT_ONCE }, page));
    expect(pages.filter((one) => !one.includes(`container ${member.webspace}`))).toEqual([]);
    expect(starts.of(member.webspace)).toBe(before + 1);
  }, 90_000);

  it('is resumed when it is paused', async () => {
    await talk(session.lab, HELLO, '');
    await kernelHas(session.lab, member, ...ALL);
    await session.lab.lxc(['pause', member.webspace]);
    await kernelHas(session.lab, member);
    expect((await talk(session.lab, HELLO, '')).trim()).toBe(member.webspace);
  }, 60_000);
});

describe('row 20: a forwarded port of a webspace that runs', () => {
  beforeAll(async () => {
    await page();
    await kernelHas(session.lab, member, ...ALL);
  }, 60_000);

  it("is in the kernel, and the container sees the client's own address", async () => {
    expect(await page()).toContain(`client [::ffff:${session.lab.profile.network.hostLink.host}]`);
  });

  it('counts as traffic', async () => {
    const before = (await portsStatus(session.lab, member)).lastTraffic ?? '';
    await page();
    await waitFor('traffic to be noticed', async () => ((await portsStatus(session.lab, member)).lastTraffic ?? '') > before, {
      timeoutMs: 15_000,
    });
  }, 30_000);

  it('loses no connection when the gateway is killed; another one takes over what is there', async () => {
    const socket = dial(session.lab, ECHO);
    await once(socket, 'connect');
    const gateway = session.lab.process('gateway-ports');
    await gateway.kill('SIGKILL');
    expect(await page()).toContain(`container ${member.webspace}`);
    socket.write('during');
    expect(String((await once(socket, 'data'))[0])).toBe('during');
    await gateway.start();
    await kernelHas(session.lab, member, ...ALL);
    await waitFor('it to be the active one', async () => (await portsStatus(session.lab, member)).active, { timeoutMs: 15_000 });
    socket.end('after');
    expect(String((await once(socket, 'data'))[0])).toBe('after');
  }, 60_000);

  it('loses no connection when the active gateway is killed and a second one takes over, which boots it from then on', async () => {
    const { lab } = session;
    const [first, second] = [lab.process('gateway-ports'), gatewayPortsBeside(lab.profile)];
    await second.process.start();
    const seen = () => portsStatus(lab, member, second.url);
    try {
      expect((await seen()).active).toBe(false);
      const sockets = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const socket = dial(lab, ECHO);
          await once(socket, 'connect');
          return socket;
        }),
      );
      const killedAt = Date.now();
      await first.kill('SIGKILL');
      const echoes = async (word: string) => {
        const answers = sockets.map(async (socket) => {
          const answer = once(socket, 'data');
          socket.write(word);
          return String((await answer)[0]);
        });
        expect(await Promise.all(answers)).toEqual(sockets.map(() => word));
      };
      await echoes('nobody is active');
      await waitFor('the second one to be active', async () => (await seen()).active, { timeoutMs: 15_000, intervalMs: 20 });
      report('the active gateway of ports killed', `the second one is active after ${Date.now() - killedAt} ms`);
      await echoes('the second one is');
      for (const socket of sockets) socket.destroy();
      const before = starts.of(member.webspace);
      await lab.lxc(['stop', '--force', member.webspace]);
      await waitFor('its listeners', async () => (await seen()).kernel.length === 0, { timeoutMs: 15_000, intervalMs: 20 });
      expect(await page()).toContain(`container ${member.webspace}`);
      expect(starts.of(member.webspace)).toBe(before + 1);
    } finally {
      await first.start();
      await second.process.stop();
      await waitFor('the first one to be active', async () => (await portsStatus(lab, member)).active, { timeoutMs: 15_000 });
      await page();
      await kernelHas(lab, member, ...ALL);
    }
  }, 90_000);

  it('row 23: leads nowhere once it is removed', async () => {
    const removed = await session.members.ask(member, 'DELETE', `/ports/${HELLO}`);
    expect(removed.status).toBe(204);
    await kernelHas(session.lab, member, `tcp-${ECHO}`, `tcp-${WEB}`);
    const refused = await talk(session.lab, HELLO, '').then(
      () => 'answered',
      (error: NodeJS.ErrnoException) => error.code,
    );
    expect(refused).toBe('ECONNREFUSED');
    await forward(session.members, member, HELLO, 7002);
  }, 30_000);
});

describe('UDP', () => {
  const UDP = 50_104;
  /** Packets that the kernel has counted for the webspace. */
  const counted = async () => {
    const { network } = await session.members.record(member);
    const traffic = await session.lab.routerExec(['nft', 'list', 'set', 'inet', 'webspaces', 'traffic']);
    return Number(new RegExp(`\\b${network.address} counter packets (\\d+)`).exec(traffic)?.[1]);
  };

  it('keeps the first datagram while the webspace boots; later flows go by the kernel with the client’s address', async () => {
    await session.members.change(member, { ports: { add: [{ protocol: 'udp', external: UDP, internal: 7004 }] } });
    await off();
    const startsBefore = starts.of(member.webspace);
    const { host, router } = session.lab.profile.network.hostLink;
    const clients = [createSocket('udp4'), createSocket('udp4')] as const;
    const answers = clients.map(async (client) => String((await once(client, 'message'))[0]));
    clients[0].send('first', UDP, router);
    await waitFor('the start', async () => starts.of(member.webspace) > startsBefore, { timeoutMs: 15_000, intervalMs: 20 });
    const failure = udpInside(session.lab, member, 7004);
    expect(await Promise.race([answers[0], failure])).toMatch(/ first$/);
    await kernelHas(session.lab, member, ...ALL, `udp-${UDP}`);
    const before = await counted();
    clients[1].send('later', UDP, router);
    expect(await Promise.race([answers[1], failure])).toBe(`${host} later`);
    // What a container sends by UDP counts as well: its client may be silent for long.
    expect(await counted()).toBeGreaterThanOrEqual(before + 2);
    for (const client of clients) client.close();
    failure.catch(() => undefined);
    expect(starts.of(member.webspace)).toBe(startsBefore + 1);
  }, 60_000);
});

describe('PROXY protocol v2', () => {
  const PROXIED = 50_105;
  const change = (ports: object) => session.members.change(member, { ports });

  it('tells the container who the client is, of a webspace that is off and of one that runs; the kernel cannot', async () => {
    await change({ add: [{ external: PROXIED, internal: 7001, proxyProtocol: true }] });
    try {
      await off();
      const { host, router } = session.lab.profile.network.hostLink;
      const addresses = [host, router].map((address) => String.fromCharCode(...address.split('.').map(Number))).join('');
      for (const phase of ['off', 'running']) {
        // The server inside gives back all it gets, the header as well.
        const echoed = await talk(session.lab, PROXIED, `to one that is ${phase}`);
        expect(echoed).toMatch(new RegExp(`^\\r\\n\\r\\n\\0\\r\\nQUIT\\n!\\x11\\0\\x0c.*to one that is ${phase}$`, 's'));
        expect(echoed.slice(16, 24)).toBe(addresses);
      }
      await kernelHas(session.lab, member, ...ALL, 'udp-50104');
    } finally {
      await change({ remove: [{ external: PROXIED }] });
    }
  }, 60_000);
});
