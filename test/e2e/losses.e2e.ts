import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { GATEWAY_SERVICE } from '#libs/contracts/webspaces-api.js';
import { addressObjectName } from '#libs/domain/addresses.js';
import { inFullRun, openSession, report, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';

let session: Session;
let living: readonly Member[];
let asleep: Member;
beforeAll(async () => {
  session = await openSession();
  const { members } = session;
  living = members.some(4);
  asleep = members.one(4);
  await members.running(...living);
  await members.create(asleep);
  await session.sweeps.quiet();
}, 240_000);
afterAll(() => session?.close(), 120_000);

async function allServed(): Promise<void> {
  await Promise.all(living.map((member) => session.members.served(member)));
}

/** Temporal ends, and begins again without knowing anything. */
async function loseTemporal(): Promise<void> {
  const { lab, sweeps } = session;
  await lab.process('temporal').kill('SIGKILL');
  await allServed();
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${lab.profile.paths.temporalDatabase}${suffix}`, { force: true });
  await lab.process('temporal').start();
  await sweeps.close();
}

describe("Temporal's database file is lost", () => {
  it('and no site notices; the Schedule of the sweep comes back by itself, no route is touched, operations work again', async () => {
    const { cluster, lab, members, sweeps } = session;
    const before = await cluster.versions();
    const lostAt = Date.now();
    await loseTemporal();
    await waitFor('the Schedule', () => sweeps.scheduledSince(), { timeoutMs: 60_000, intervalMs: 250 });
    report('Schedule of the sweep back', `${Date.now() - lostAt} ms after the loss`);
    await waitFor('the worker to be ready', () => lab.process('worker').healthy(), { timeoutMs: 60_000 });
    await allServed();
    expect((await sweeps.run()).refusals).toEqual([]);
    expect(await cluster.versions()).toEqual(before);

    await members.expect(204, asleep, 'POST', '/state');
    await members.served(asleep);
    await members.expect(204, asleep, 'DELETE', '/state');
    const newcomer = members.one(5);
    await members.create(newcomer);
    await members.delete(newcomer);
  }, 180_000);
});

// A minute long, since the lock of what was lost is waited out: see test/full-only.txt.
inFullRun(describe)("Temporal's database file is lost in the middle of an operation", () => {
  it('and its lock is not held for ever: the next operation has it once nothing of the lost one can be under way', async () => {
    const { cluster, lab, members, sweeps } = session;
    await lab.importImage('stubborn', { init: 'ignores-shutdown' });
    const member = members.one(7);
    await members.create(member, 'stubborn');
    await members.expect(204, member, 'POST', '/state');
    await members.served(member);
    const stopping = members.ask(member, 'DELETE', '/state').catch((error: unknown) => error);
    await waitFor('the shutdown to be under way', async () => (await cluster.phase(member.webspace)) === 'stopping', { timeoutMs: 10_000 });
    await loseTemporal();
    const lostAt = Date.now();
    await stopping;
    expect(await cluster.target(member.webspace)).toBe(GATEWAY_SERVICE);
    const gone = async () => [204, 404].includes((await members.ask(member, 'DELETE')).status);
    await waitFor('the delete', gone, { timeoutMs: 150_000, intervalMs: 500 });
    report('delete of a webspace whose operation was lost', `done ${Date.now() - lostAt} ms after the loss`);
    expect(await members.leftOf(member)).toEqual([]);
    await sweeps.quiet();
    await allServed();
  }, 240_000);
});

describe('every Kubernetes object of the platform is lost', () => {
  it('and the sweep brings all of it back from LXD; no name or address changes hands meanwhile', async () => {
    const { cluster, members, sweeps } = session;
    const before = await cluster.owners();
    const newcomer = members.one(6);
    const answers: number[] = [];

    expect(await cluster.removeEverything()).toBeGreaterThanOrEqual(living.length * 3);
    const lostAt = Date.now();
    // The installation's, which nothing here would bring back.
    expect(await cluster.has('service', GATEWAY_SERVICE)).toBe(true);
    const created = waitFor(
      'a creation meanwhile',
      async () => {
        const answer = await members.ask(newcomer, 'POST', '', { image: 'hello' });
        answers.push(answer.status);
        if (answer.status === 503) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
        return answer.status !== 503;
      },
      { timeoutMs: 60_000, intervalMs: 50 },
    );
    const result = await sweeps.run();
    await allServed();
    report('all sites served again', `${Date.now() - lostAt} ms after the loss of all objects; ${JSON.stringify(result)}`);
    await created;
    report('a creation meanwhile', `answered ${answers.join(', ')}`);
    expect(answers.at(-1)).toBe(201);
    expect(answers.slice(0, -1).every((status) => status === 503)).toBe(true);

    const { uid } = await members.record(newcomer);
    const after = await cluster.owners();
    const others = Object.fromEntries(Object.entries(after).filter(([, owner]) => owner !== uid));
    expect(others).toEqual(Object.fromEntries(Object.entries(before).filter(([, owner]) => owner !== undefined)));
    expect(await cluster.has('configMap', 'claims-epoch')).toBe(true);
    expect(await cluster.has('configMap', 'lxd-identity')).toBe(true);
    for (const { webspace } of living) expect(await cluster.phase(webspace)).toBe('running');
    expect(await cluster.phase(asleep.webspace)).toBe('stopped');
    await members.delete(newcomer);
  }, 180_000);

  it('piece by piece, and each piece is back after a sweep, the others untouched', async () => {
    const { cluster, sweeps } = session;
    const [victim, ...unaffected] = living as [Member, ...Member[]];
    const names = unaffected.map(({ webspace }) => webspace);
    const { network } = await session.members.record(victim);
    const before = await cluster.versions(names);
    const owners = await cluster.owners();
    const pieces = [
      ['ingressRoute', victim.webspace],
      ['service', victim.webspace],
      ['endpointSlice', victim.webspace],
      ['webspace', victim.webspace],
      ['domain', `${victim.username}.ws.localhost`],
      ['address', addressObjectName(network.address)],
    ] as const;
    for (const [kind, name] of pieces) {
      await cluster.remove(kind, name);
      await sweeps.run();
      expect([kind, await cluster.has(kind, name)]).toEqual([kind, true]);
      await session.members.served(victim);
    }
    expect(await cluster.owners()).toEqual(owners);
    expect(await cluster.versions(names)).toEqual(before);
  }, 180_000);
});
