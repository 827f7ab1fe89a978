import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { startLxdDouble } from '#libs/testing/lxd-double/index.js';
import { openSession, report, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { type ProxiedWorker, startProxiedWorker } from '../support/proxied-worker.js';

interface Row {
  readonly name: string;
}

/** As LXD lists an instance of a member that is away. */
const awayRow = ({ name }: Row) => ({
  ...{ name, status: 'Error', status_code: 112, type: 'container', location: 's2', architecture: '' },
  ...{ created_at: '0001-01-01T00:00:00Z', last_used_at: '0001-01-01T00:00:00Z' },
  ...{ config: null, devices: null, expanded_config: null, expanded_devices: null, profiles: null },
});

let session: Session;
let worker: ProxiedWorker;
let all: readonly Member[];
let half: ReadonlySet<string>;
let before: Record<string, string>;

beforeAll(async () => {
  session = await openSession();
  worker = await startProxiedWorker(session.lab);
  all = session.members.some(6);
  half = new Set(all.slice(0, 3).map(({ webspace }) => webspace));
  await session.members.running(...all);
}, 240_000);

beforeEach(async () => {
  await session.sweeps.quiet();
  await session.sweeps.run();
  before = await session.cluster.versions();
}, 60_000);

afterAll(async () => {
  await worker?.close();
  await session?.close();
}, 180_000);

const path = (name: string) => `/1.0/instances/${name}`;

/** Each webspace named says why nothing is known of it; no route or claim of anybody was written; all sites are served. */
async function heldBack(names: Iterable<string>, reason: string): Promise<void> {
  const { cluster, members } = session;
  const said = async (name: string) => (await cluster.condition(name))?.reason === reason && (await cluster.phase(name)) === 'unknown';
  for (const name of names) {
    await waitFor(`${name} to say ${reason}`, () => said(name), { timeoutMs: 5_000 });
    expect(await cluster.condition(name)).toMatchObject({ status: 'False', message: expect.stringMatching(/.{20}/) });
  }
  expect(await cluster.versions()).toEqual(before);
  await Promise.all(all.map((member) => members.served(member)));
}

/** Makes LXD say something of each webspace, so that it is looked at by itself. */
async function anEventOfEach(): Promise<void> {
  const looks = () => worker.metric('webspaces_lxd_looks_total', 'outcome="reconcile"');
  const before = await looks();
  for (const name of half) await session.lab.lxc(['config', 'set', name, `user.test=${Date.now()}`]);
  await waitFor('a look at each', async () => (await looks()) >= before + half.size, { timeoutMs: 10_000 });
  await session.sweeps.quiet();
}

async function truthAgain(): Promise<void> {
  const { cluster, sweeps } = session;
  worker.proxy.honest();
  await worker.events(true);
  await sweeps.run();
  const inStep = async () =>
    (await Promise.all(all.map(({ webspace }) => cluster.condition(webspace)))).every((c) => c?.reason === 'InStep');
  await waitFor('every webspace in step', inStep, { timeoutMs: 15_000 });
  expect(await cluster.versions()).toEqual(before);
}

describe('nothing is removed or rerouted, and a condition and a metric say why, when LXD', () => {
  it('answers with an empty list', async () => {
    const refused = await worker.metric('webspaces_sweep_refused_total', 'reason="EmptyList"');
    worker.proxy.rewrite = (at, answer) => (at === '/1.0/instances' ? { ...answer, metadata: [] } : undefined);
    const result = await session.sweeps.run();
    expect(result).toMatchObject({ removed: 0, refusals: [expect.stringContaining('no webspace at all')] });
    await heldBack(
      all.map(({ webspace }) => webspace),
      'EmptyList',
    );
    expect(await worker.metric('webspaces_sweep_refused_total', 'reason="EmptyList"')).toBeGreaterThan(refused);
    expect(await worker.metric('webspaces_unreadable')).toBe(all.length);
    await truthAgain();
    expect(await worker.metric('webspaces_unreadable')).toBe(0);
  }, 60_000);

  it('has another certificate than the LXD of the installation', async () => {
    worker.proxy.rewrite = (at, answer) => {
      const { environment, ...rest } = answer.metadata as { environment?: object };
      return at === '/1.0'
        ? { ...answer, metadata: { ...rest, environment: { ...environment, certificate_fingerprint: 'f'.repeat(64) } } }
        : undefined;
    };
    const result = await session.sweeps.run();
    expect(result).toMatchObject({ removed: 0, refusals: [expect.stringContaining('lxd-identity')] });
    await heldBack(
      all.map(({ webspace }) => webspace),
      'AnotherLxd',
    );
    expect(await worker.metric('webspaces_sweep_refused_total', 'reason="AnotherLxd"')).toBeGreaterThan(0);
    await truthAgain();
  }, 60_000);

  it('is wholly another one, with one webspace of its own', async () => {
    const other = await startLxdDouble();
    try {
      other.addInstance('ws-u1999');
      worker.proxy.leadTo(other.socket);
      const result = await session.sweeps.run();
      expect(result).toMatchObject({ removed: 0, restored: 0, refusals: [expect.any(String)] });
      await heldBack(
        all.map(({ webspace }) => webspace),
        'AnotherLxd',
      );
      await truthAgain();
    } finally {
      await other.close();
    }
  }, 60_000);

  it('leaves half of the instances out of its list and answers 500 for each of them', async () => {
    worker.proxy.rewrite = (at, answer) =>
      at === '/1.0/instances' ? { ...answer, metadata: (answer.metadata as Row[]).filter(({ name }) => !half.has(name)) } : undefined;
    worker.proxy.broken = (at) => half.has(at.slice(path('').length));
    const result = await session.sweeps.run();
    expect(result.removed).toBe(0);
    await heldBack(half, 'LxdUnavailable');
    await anEventOfEach();
    await heldBack(half, 'LxdUnavailable');
    expect(await worker.metric('webspaces_unreadable')).toBe(half.size);
    await truthAgain();
  }, 60_000);

  it('answers 500 to the list itself', async () => {
    worker.proxy.broken = (at) => at === '/1.0/instances';
    const result = await session.sweeps.run();
    expect(result).toMatchObject({ removed: 0, refusals: [expect.stringContaining('cannot be read')] });
    await heldBack(
      all.map(({ webspace }) => webspace),
      'LxdUnavailable',
    );
    expect(await worker.metric('webspaces_sweep_refused_total', 'reason="LxdUnavailable"')).toBeGreaterThan(0);
    await truthAgain();
  }, 60_000);

  it.each([
    ['and answers 500 for each of them', true],
    ['and shows each of them without its config', false],
  ])(
    'shows half of the instances in state ERROR, %s',
    async (_what, broken) => {
      worker.proxy.rewrite = (at, answer) => {
        if (at === '/1.0/instances')
          return { ...answer, metadata: (answer.metadata as Row[]).map((row) => (half.has(row.name) ? awayRow(row) : row)) };
        return half.has(at.slice(path('').length)) ? { ...answer, metadata: awayRow(answer.metadata as Row) } : undefined;
      };
      worker.proxy.broken = (at) => broken && half.has(at.slice(path('').length));
      expect(await session.sweeps.run()).toMatchObject({ removed: 0, restored: 0, reconciled: 0 });
      await heldBack(half, 'InstanceUnreadable');
      expect(await worker.metric('webspaces_unreadable')).toBe(half.size);
      await anEventOfEach();
      await heldBack(half, broken ? 'LxdUnavailable' : 'InstanceUnreadable');
      await truthAgain();
    },
    60_000,
  );
});

describe('a delete while the instance cannot be read', () => {
  it('waits until it can, and takes nothing away before', async () => {
    const { cluster, members } = session;
    const [victim] = all as [Member];
    let reads = 0;
    worker.proxy.rewrite = (at, answer) => {
      if (at !== path(victim.webspace)) return undefined;
      reads++;
      return { ...answer, metadata: awayRow(answer.metadata as Row) };
    };
    const deleted = members.expect(204, victim, 'DELETE');
    await waitFor('several attempts to read the instance', () => reads >= 4, { timeoutMs: 20_000 });
    expect(await cluster.versions()).toEqual(before);
    await members.served(victim);
    worker.proxy.honest();
    const begun = Date.now();
    await deleted;
    report('delete after the member is back', `${Date.now() - begun} ms`);
    expect(await members.leftOf(victim)).toEqual([]);
  }, 120_000);
});
