import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayPortsBeside, gatewayPortsWithoutPrivilege } from '#lab/gateway-ports.js';
import { waitFor } from '#lab/wait.js';
import { openSession, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { dial, forward, portsStatus, serveInside, talk, udpInside } from '../support/ports.js';
import { countStarts, type Starts } from '../support/starts.js';

/** Beyond the range from which this machine takes source ports: the gateway listens at an address of the machine itself. */
const ECHO = 61_101;
const HELLO = 61_102;
const UDP = 61_103;

let session: Session;
let member: Member;
let starts: Starts;
let gateway: GatewayPortsBeside;
/** Where the gateway without privilege listens. */
let here: string;

beforeAll(async () => {
  session = await openSession();
  here = session.lab.profile.network.hostLink.host;
  member = session.members.one(0);
  await session.members.running(member);
  await serveInside(session.lab, member, { 7001: '/bin/cat', 7002: '/bin/hostname' });
  await forward(session.members, member, ECHO, 7001);
  await forward(session.members, member, HELLO, 7002);
  await session.members.change(member, { ports: { add: [{ protocol: 'udp', external: UDP, internal: 7004 }] } });
  starts = await countStarts(session.lab);
  gateway = gatewayPortsWithoutPrivilege(session.lab.profile);
  await gateway.process.restart();
}, 180_000);
afterAll(async () => {
  await gateway?.process.stop();
  await starts?.close();
  await session?.close();
}, 120_000);

const phaseIs = (wanted: string) =>
  waitFor(`${member.webspace} ${wanted}`, async () => (await session.cluster.phase(member.webspace)) === wanted, { timeoutMs: 15_000 });
const off = async () => {
  await session.members.expect(204, member, 'DELETE', '/state');
  await phaseIs('stopped');
};
const say = (external: number, words: string) => talk(session.lab, external, words, here);
const status = () => portsStatus(session.lab, member, gateway.url);

describe('a gateway of forwarded ports without any privilege', () => {
  it('has no capability, and can get none', () => {
    const text = readFileSync(`/proc/${gateway.process.pid()}/status`, 'utf8');
    const capabilities = [...text.matchAll(/^(Cap\w+):\s+(\w+)$/gm)].map(([, kind, bits]) => `${kind} ${Number.parseInt(bits ?? '', 16)}`);
    expect(capabilities).toEqual(['CapInh 0', 'CapPrm 0', 'CapEff 0', 'CapBnd 0', 'CapAmb 0']);
    expect(text).toMatch(/^NoNewPrivs:\s+1$/m);
  });

  it('is active beside the one that has the Lease, and forwards nothing in the kernel', async () => {
    await waitFor('it to be active', async () => (await status()).active, { timeoutMs: 15_000 });
    expect(await status()).toMatchObject({ active: true, kernel: [] });
    expect(await portsStatus(session.lab, member)).toMatchObject({ active: true });
  });

  it('row 27: boots a webspace that is off, once, and each of its ports reaches its own', async () => {
    await off();
    const before = starts.of(member.webspace);
    const [echo, hello] = await Promise.all([say(ECHO, 'to the echo'), say(HELLO, '')]);
    expect([echo, hello.trim()]).toEqual(['to the echo', member.webspace]);
    expect(starts.of(member.webspace)).toBe(before + 1);
  }, 60_000);

  it('row 20: serves one that runs, half-closed connections too, without another start', async () => {
    await phaseIs('running');
    const before = starts.of(member.webspace);
    const much = 'x'.repeat(5_000_000);
    expect((await say(ECHO, much)).length).toBe(much.length);
    expect(await say(ECHO, 'once more')).toBe('once more');
    expect(await status()).toMatchObject({ active: true, kernel: [], lastTraffic: expect.any(String) });
    expect(starts.of(member.webspace)).toBe(before);
  }, 60_000);

  it('keeps datagrams to one that is off while it boots, and passes them on to one that runs', async () => {
    await off();
    const before = starts.of(member.webspace);
    const clients = [createSocket('udp4'), createSocket('udp4')] as const;
    const [first, later] = clients.map(async (client) => String((await once(client, 'message'))[0]));
    try {
      clients[0].send('first', UDP, here);
      await waitFor('the start', async () => starts.of(member.webspace) > before, { timeoutMs: 15_000, intervalMs: 20 });
      const over = udpInside(session.lab, member, 7004);
      over.catch(() => undefined);
      expect(await Promise.race([first, over])).toMatch(/ first$/);
      await phaseIs('running');
      clients[1].send('later', UDP, here);
      expect(await Promise.race([later, over])).toMatch(/ later$/);
      expect(starts.of(member.webspace)).toBe(before + 1);
    } finally {
      for (const client of clients) client.close();
    }
  }, 60_000);

  it('ends its listeners with the forwards, and connections with its process', async () => {
    const socket = dial(session.lab, ECHO, here);
    await once(socket, 'connect');
    socket.write('lives');
    expect(String((await once(socket, 'data'))[0])).toBe('lives');
    await session.members.expect(204, member, 'DELETE', `/ports/${HELLO}`);
    const refused = () =>
      say(HELLO, '').then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
      );
    await waitFor('the listener to be gone', refused, { timeoutMs: 15_000 });
    const ended = once(socket, 'end');
    await gateway.process.kill('SIGKILL');
    await ended;
    socket.destroy();
    await gateway.process.start();
    // Ready is who follows the webspaces; the listeners come right after.
    await waitFor('the listener', async () => (await say(ECHO, 'again')) === 'again', { timeoutMs: 15_000 });
  }, 60_000);
});
