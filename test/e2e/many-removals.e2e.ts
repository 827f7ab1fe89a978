import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { REMOVALS_APPROVED } from '../support/cluster.js';
import { openSession, type Session } from '../support/lab-session.js';
import { inTurns, type Member } from '../support/members.js';
import { type ProxiedWorker, startProxiedWorker } from '../support/proxied-worker.js';

let session: Session;
let worker: ProxiedWorker;
let survivor: Member;
beforeAll(async () => {
  session = await openSession();
  worker = await startProxiedWorker(session.lab);
  survivor = session.members.one(30);
  await session.members.running(survivor);
}, 180_000);
afterAll(async () => {
  await worker?.close();
  await session?.close();
}, 180_000);

/** Webspaces whose instances disappear while nobody listens. */
async function gone(members: readonly Member[]): Promise<void> {
  await inTurns(members, 4, (member) => session.members.create(member));
  await session.sweeps.quiet();
  worker.proxy.cutEvents();
  await worker.events(false);
  for (const { webspace } of members) await session.lab.lxc(['delete', '--force', webspace]);
}

async function listeningAgain(): Promise<void> {
  worker.proxy.honest();
  await worker.events(true);
  await session.sweeps.quiet();
}

function approve(upTo: number): Promise<string> {
  return session.lab.kubectl(['create', 'configmap', REMOVALS_APPROVED, '-n', 'webspaces', `--from-literal=upTo=${upTo}`]);
}

describe('a sweep that finds many webspaces gone', () => {
  it('removes five alone', async () => {
    const five = session.members.some(5);
    await gone(five);
    expect(await session.sweeps.run()).toMatchObject({ removed: 5, refusals: [] });
    expect(await session.members.leftOf(...five)).toEqual([]);
    await listeningAgain();
  }, 90_000);

  it('refuses to remove six, says so on each, and does it once an admin has approved six: once', async () => {
    const { cluster, lab, sweeps } = session;
    const six = session.members.some(6, 10);
    await gone(six);
    const before = await cluster.versions();
    const refused = await worker.metric('webspaces_sweep_refused_total', 'reason="TooManyRemovals"');

    expect(await sweeps.run()).toMatchObject({ removed: 0, refusals: [expect.stringContaining(`create configmap ${REMOVALS_APPROVED}`)] });
    for (const { webspace } of six) expect(await cluster.condition(webspace)).toMatchObject({ status: 'False', reason: 'TooManyRemovals' });
    expect(await worker.metric('webspaces_sweep_refused_total', 'reason="TooManyRemovals"')).toBeGreaterThan(refused);
    expect(await cluster.versions()).toEqual(before);

    await approve(5);
    expect(await sweeps.run()).toMatchObject({ removed: 0, refusals: [expect.any(String)] });
    expect(await cluster.versions()).toEqual(before);
    await lab.kubectl(['delete', 'configmap', REMOVALS_APPROVED, '-n', 'webspaces']);

    await approve(6);
    expect(await sweeps.run()).toMatchObject({ removed: 6, refusals: [] });
    expect(await session.members.leftOf(...six)).toEqual([]);
    expect(await cluster.has('configMap', REMOVALS_APPROVED)).toBe(false);
    await listeningAgain();

    const sixMore = session.members.some(6, 20);
    await gone(sixMore);
    expect(await sweeps.run()).toMatchObject({ removed: 0, refusals: [expect.any(String)] });
    await approve(6);
    expect(await sweeps.run()).toMatchObject({ removed: 6 });
    expect(await session.members.leftOf(...sixMore)).toEqual([]);
    await listeningAgain();
    await session.members.served(survivor);
  }, 180_000);

  it('takes an empty list of LXD for a mistake until an admin says that all are gone', async () => {
    const { lab, sweeps } = session;
    const two = session.members.some(2, 40);
    await gone(two);
    await lab.lxc(['delete', '--force', survivor.webspace]);
    expect(await session.members.instances()).toEqual([]);
    expect(await session.cluster.has('configMap', REMOVALS_APPROVED)).toBe(false);
    expect(await sweeps.run()).toMatchObject({ instances: 0, removed: 0, refusals: [expect.stringContaining('--from-literal=upTo=3')] });
    expect((await session.members.leftOf(...two, survivor)).length).toBeGreaterThanOrEqual(3 * 6);
    await approve(3);
    expect(await sweeps.run()).toMatchObject({ removed: 3, refusals: [] });
    expect(await session.members.leftOf(...two, survivor)).toEqual([]);
    await listeningAgain();
  }, 90_000);
});
