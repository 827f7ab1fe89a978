import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { run } from '#lab/exec.js';
import { waitFor } from '#lab/wait.js';
import { openSession, report, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';

/** An address of a container that is gone is refused within this; the kernel trusts what it knew of it for about a second. */
const REFUSED_MS = 2_500;

let session: Session;
beforeAll(async () => {
  session = await openSession();
}, 180_000);
afterAll(() => session?.close(), 120_000);

/** What a connection from this machine to a container's web server meets, and how soon. */
function knock(address: string, timeoutMs = 10_000): Promise<{ readonly outcome: string; readonly ms: number }> {
  const begun = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 80, timeout: timeoutMs });
    const end = (outcome: string) => {
      socket.destroy();
      resolve({ outcome, ms: performance.now() - begun });
    };
    socket.once('connect', () => end('connected'));
    socket.once('timeout', () => end('no answer'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

async function addressOf(member: Member): Promise<string> {
  return (await session.members.record(member)).network.address;
}

describe('a packet for a container', () => {
  it('leaves by the lab’s link while the container runs', async () => {
    const { leaks, members } = session;
    const member = members.one(0);
    await members.running(member);
    const before = await leaks.packets('onlink');
    expect((await knock(await addressOf(member))).outcome).toBe('connected');
    expect(await leaks.packets('onlink')).toBeGreaterThan(before);
    expect(await leaks.packets('leaked')).toBe(0);
  }, 60_000);

  it.each([
    ['was stopped by force', ['stop', '--force']],
    ['was deleted', ['delete', '--force']],
  ])(
    'is refused quickly when the container %s, and leaves by no other way',
    async (what, command) => {
      const { lab, leaks, members } = session;
      const member = members.one(1);
      await members.removeAll();
      await members.running(member);
      const address = await addressOf(member);
      await lab.lxc([...command, member.webspace]);
      const { outcome, ms } = await knock(address);
      report(`a container that ${what}`, `${outcome} after ${ms.toFixed(0)} ms`);
      expect(['EHOSTUNREACH', 'ECONNREFUSED', 'ENETUNREACH']).toContain(outcome);
      expect(ms).toBeLessThan(REFUSED_MS);
      expect(await leaks.packets('leaked')).toBe(0);
    },
    60_000,
  );

  it('is refused at once while the lab’s link is down, instead of taking the default route', async () => {
    const { lab, leaks, members } = session;
    const member = members.one(2);
    await members.running(member);
    const address = await addressOf(member);
    await run('ip', ['link', 'set', lab.profile.network.hostLink.device, 'down']);
    try {
      const { outcome, ms } = await knock(address);
      report('the lab’s link is down', `${outcome} after ${ms.toFixed(0)} ms`);
      expect(outcome).toBe('EHOSTUNREACH');
      expect(ms).toBeLessThan(200);
      expect(await leaks.packets('leaked')).toBe(0);
    } finally {
      await lab.up();
    }
    await waitFor('the container to be reached again', async () => (await knock(address)).outcome === 'connected', { timeoutMs: 10_000 });
  }, 60_000);

  it('would be counted if it left by another way', async () => {
    const { lab, leaks } = session;
    const stray = lab.profile.network.staticRange.to;
    await run('ip', ['route', 'add', `${stray}/32`, 'dev', 'lo']);
    try {
      await knock(stray, 300);
      expect(await leaks.packets('leaked')).toBeGreaterThan(0);
    } finally {
      await run('ip', ['route', 'del', `${stray}/32`, 'dev', 'lo']);
      await leaks.start();
    }
  }, 30_000);
});
