import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { openSession, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { dial, forward, kernelHas, serveInside, talk } from '../support/ports.js';

const ECHO = 50_201;
const WEB = 50_202;
const NOBODYS = 50_299;
const BOTH = [`tcp-${ECHO}`, `tcp-${WEB}`];
const DOMAIN = 'row-eight.example.org';

let session: Session;
let member: Member;
beforeAll(async () => {
  session = await openSession();
  member = session.members.one(0);
  await session.members.running(member);
  await serveInside(session.lab, member, { 7001: '/bin/cat' });
  await session.members.expect(204, member, 'PUT', '/state');
  await session.members.served(member);
  await session.members.settled(member);
  await forward(session.members, member, ECHO, 7001);
  await forward(session.members, member, WEB, 80);
  await kernelHas(session.lab, member, ...BOTH);
}, 180_000);
afterAll(() => session?.close(), 120_000);

const page = () => talk(session.lab, WEB, 'GET /cgi-bin/request HTTP/1.0\r\n\r\n');
const refused = (external: number) =>
  talk(session.lab, external, '').then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
  );
/** Both forwards reach their own. */
const served = async () => (await talk(session.lab, ECHO, 'there')) === 'there' && (await page()).includes(`container ${member.webspace}`);
const soonServed = () => waitFor('both forwards', served, { timeoutMs: 15_000, intervalMs: 100 });
const nft = (...command: string[]) => session.lab.routerExec(['nft', command.join(' ')]);

/** A connection that has said something already, and goes on. */
async function established() {
  const socket = dial(session.lab, ECHO);
  await once(socket, 'connect');
  return async (word: string) => {
    const answer = once(socket, 'data');
    socket.write(word);
    return String((await answer)[0]);
  };
}

describe('row 24: traffic of forwarded ports', () => {
  it('goes on while their Service was tampered with, is put right, and while the worker is restarted', async () => {
    const { cluster, lab, sweeps } = session;
    const say = await established();
    const service = `${member.webspace}-ports`;
    await lab.kubectl(['-n', 'webspaces', 'patch', 'service', service, '--type=json', '-p', '[{"op":"remove","path":"/spec/ports/0"}]']);
    expect(await served()).toBe(true);
    await lab.process('worker').restart();
    expect(await say('worker restarted')).toBe('worker restarted');
    await sweeps.run();
    // The sweep of a worker that begins may be the one that puts it right, and be at it still.
    await sweeps.quiet();
    const spec = (await cluster.find('service', service))?.['spec'] as { ports: { name: string }[] } | undefined;
    expect(spec?.ports.map(({ name }) => name).sort()).toEqual(BOTH);
    expect(await served()).toBe(true);
    expect(await say('service put right')).toBe('service put right');
  }, 60_000);

  it('is put right when an entry of the kernel was taken away by hand, and one that is nobody’s goes', async () => {
    const say = await established();
    const { network } = await session.members.record(member);
    await nft('delete element inet webspaces tcp_forwards', `{ ${ECHO} }`);
    await nft('add element inet webspaces tcp_forwards', `{ ${NOBODYS} : ${network.address} . 7001 }`);
    await soonServed();
    await waitFor('the foreign entry to go', () => refused(NOBODYS), { timeoutMs: 15_000 });
    expect(await say('still here')).toBe('still here');
  }, 60_000);

  it('is put right when the whole table was deleted', async () => {
    await nft('delete table inet webspaces');
    await soonServed();
    await kernelHas(session.lab, member, ...BOTH);
  }, 60_000);

  it('follows a removal and an addition, and the other forward never notices', async () => {
    const say = await established();
    await session.members.expect(204, member, 'DELETE', `/ports/${WEB}`);
    await kernelHas(session.lab, member, `tcp-${ECHO}`);
    expect(await refused(WEB)).toBe(true);
    expect(await say('the other one')).toBe('the other one');
    await forward(session.members, member, WEB, 80);
    await kernelHas(session.lab, member, ...BOTH);
    expect(await served()).toBe(true);
    expect(await say('the other one again')).toBe('the other one again');
  }, 60_000);
});

describe('row 8: a webspace that is deleted while it runs, with a custom domain and two forwards', () => {
  it('leaves no instance, no object, no port of a Service, no entry of the kernel and no listener', async () => {
    const { lab, members, cluster } = session;
    lab.dns.set({ [DOMAIN]: { txt: [`webspace:id:${member.id}`] } });
    await members.expect(204, member, 'POST', `/domains/${DOMAIN}`);
    expect(await cluster.hosts(member.webspace)).toContain(DOMAIN);
    expect(await served()).toBe(true);

    await members.delete(member);
    expect(await members.instances()).not.toContain(member.webspace);
    expect(await members.leftOf(member)).toEqual([]);
    expect((await cluster.everything()).filter((what) => what.includes(DOMAIN))).toEqual([]);
    await waitFor('both ports to refuse', async () => (await refused(ECHO)) && (await refused(WEB)), { timeoutMs: 15_000 });
    const table = await lab.routerExec(['nft', 'list', 'table', 'inet', 'webspaces']);
    const listeners = await lab.routerExec(['ss', '-Hltn']);
    for (const port of [ECHO, WEB]) {
      expect(table).not.toContain(String(port));
      expect(listeners).not.toContain(`:${port} `);
    }
    await waitFor('Traefik to know the site no more', async () => (await lab.visit(member.username)).status === 404, { timeoutMs: 10_000 });
    lab.dns.clear();
  }, 90_000);
});
