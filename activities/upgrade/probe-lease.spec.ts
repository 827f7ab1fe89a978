import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { type KubernetesDouble, Refusal, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { LOCK_GRACE_MS } from '../kubernetes/lock.js';
import type { Call } from '../shared/guard.js';
import type { RunState } from '../shared/workflow-runs.js';
import type { UpgradeDeps } from './deps.js';
import { probeLeaseSteps } from './probe-lease.js';
import { ProbeLeases } from './probe-leases.js';

const LEASE = 'lxd-upgrade';
const signal = new AbortController().signal;
const ours = { holder: 'upgrade:cluster-a:1', seconds: 60, by: 'anna', why: 'upgrade to lxd:2' };
const theirs = { ...ours, holder: 'upgrade:cluster-a:2', by: 'ben' };

let double: KubernetesDouble;
let kube: KubernetesClient;
let now: number;
let leases: ProbeLeases;
const states = new Map<string, RunState>();

beforeEach(async () => {
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'lxd' });
  now = Date.parse('2026-11-28T12:00:00Z');
  states.clear();
  leases = new ProbeLeases({
    kube,
    runs: { describe: async ({ workflowId }) => states.get(workflowId) ?? { is: 'open' } },
    now: () => now,
  });
});

afterEach(async () => {
  await kube.close();
  await double.close();
});

const read = () => kube.get('lease', LEASE);
const closed = (seconds: number): RunState => ({ is: 'closed', closedAtMs: now - seconds * 1000 });

describe('the Lease of the probes', () => {
  test('says whose it is, why, and until when; a renewal makes it later and no more', async () => {
    await leases.hold(LEASE, ours, signal);
    const first = await read();
    expect(first['spec']).toEqual({
      holderIdentity: ours.holder,
      leaseDurationSeconds: 60,
      acquireTime: '2026-11-28T12:00:00.000000Z',
      renewTime: '2026-11-28T12:00:00.000000Z',
    });
    expect(first.metadata.annotations).toEqual({
      [UPGRADE_KEYS.by]: 'anna',
      [UPGRADE_KEYS.why]: 'upgrade to lxd:2',
      [UPGRADE_KEYS.until]: '2026-11-28T12:01:00.000Z',
    });
    now += 20_000;
    await leases.hold(LEASE, ours, signal);
    const second = await read();
    expect(second['spec']).toMatchObject({ acquireTime: '2026-11-28T12:00:00.000000Z', renewTime: '2026-11-28T12:00:20.000000Z' });
    expect(second.metadata.annotations?.[UPGRADE_KEYS.until]).toBe('2026-11-28T12:01:20.000Z');
    expect(second.metadata.uid).toBe(first.metadata.uid);
  });

  test('is refused while the upgrade that holds it runs, even when it has expired, and taken over when that has ended', async () => {
    await leases.hold(LEASE, theirs, signal);
    now += 3_600_000;
    await expect(leases.hold(LEASE, ours, signal)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(theirs.holder),
    });
    expect((await read())['spec']).toMatchObject({ holderIdentity: theirs.holder });
    states.set(theirs.holder, closed(1));
    await leases.hold(LEASE, ours, signal);
    expect((await read())['spec']).toMatchObject({ holderIdentity: ours.holder, acquireTime: '2026-11-28T13:00:00.000000Z' });
  });

  test('is released by its holder only, twice over, and can be taken again', async () => {
    await leases.release(LEASE, ours.holder, signal);
    await leases.hold(LEASE, ours, signal);
    await leases.release(LEASE, theirs.holder, signal);
    expect((await read())['spec']).toMatchObject({ holderIdentity: ours.holder });
    await leases.release(LEASE, ours.holder, signal);
    await leases.release(LEASE, ours.holder, signal);
    expect((await read())['spec']).not.toHaveProperty('holderIdentity');
    expect((await read()).metadata.annotations).toEqual({});
    await leases.hold(LEASE, theirs, signal);
    expect((await read())['spec']).toMatchObject({ holderIdentity: theirs.holder });
  });

  test('is taken by one of many at once', async () => {
    const tries = Array.from({ length: 5 }, (_, i) => leases.hold(LEASE, { ...ours, holder: `upgrade:cluster-a:${i}` }, signal));
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'CONFLICT' });
  });

  test('is written on when somebody else writes it between reading and writing', async () => {
    await leases.hold(LEASE, ours, signal);
    let interfered = 0;
    double.beforeEach = async (line) => {
      if (!line.startsWith('PUT') || interfered++ > 0) return;
      const lease = await read();
      await kube.replace('lease', { ...lease, metadata: { ...lease.metadata, labels: { other: 'yes' } } });
    };
    now += 5_000;
    await leases.hold(LEASE, ours, signal);
    const lease = await read();
    expect(lease.metadata.labels).toMatchObject({ other: 'yes' });
    expect(lease['spec']).toMatchObject({ renewTime: '2026-11-28T12:00:05.000000Z' });
  });

  test('that was left behind is released when its workflow has ended long enough ago', async () => {
    expect(await leases.releaseLeft(LEASE, signal)).toBeUndefined();
    await leases.hold(LEASE, ours, signal);
    expect(await leases.releaseLeft(LEASE, signal)).toBeUndefined();
    states.set(ours.holder, { is: 'closed', closedAtMs: now - LOCK_GRACE_MS + 1_000 });
    expect(await leases.releaseLeft(LEASE, signal)).toBeUndefined();
    now += 1_000;
    expect(await leases.releaseLeft(LEASE, signal)).toBe(ours.holder);
    expect((await read())['spec']).not.toHaveProperty('holderIdentity');
    expect(await leases.releaseLeft(LEASE, signal)).toBeUndefined();
  });

  test('of a workflow that nobody knows any more is released after its last renewal', async () => {
    await leases.hold(LEASE, ours, signal);
    states.set(ours.holder, { is: 'not-found' });
    expect(await leases.releaseLeft(LEASE, signal)).toBeUndefined();
    now += LOCK_GRACE_MS;
    expect(await leases.releaseLeft(LEASE, signal)).toBe(ours.holder);
  });

  test('is left alone while Temporal cannot be asked', async () => {
    await leases.hold(LEASE, ours, signal);
    const blind = new ProbeLeases({ kube, runs: { describe: () => Promise.reject(new Error('away')) }, now: () => now + 3_600_000 });
    await expect(blind.releaseLeft(LEASE, signal)).rejects.toThrow('away');
    await expect(blind.hold(LEASE, theirs, signal)).rejects.toThrow('away');
    expect((await read())['spec']).toMatchObject({ holderIdentity: ours.holder });
  });
});

describe('holding it', () => {
  const acting = { kind: 'upgrade', name: 'cluster-a', operationId: '1', uid: '' } as const;
  const plan = { cluster: 'a', hash: 'h', kind: 'lockstep' } as unknown as Parameters<
    ReturnType<typeof probeLeaseSteps>['holdProbeLease']
  >[2];
  let waits: (string | undefined)[];
  let stop: AbortController;
  let call: Call;

  beforeEach(() => {
    waits = [];
    stop = new AbortController();
    call = {
      signal: stop.signal,
      me: { workflowId: ours.holder, runId: 'r' },
      attempt: 1,
      sinceMs: () => 0,
      waiting: (details) => waits.push(details?.waitingFor),
    };
  });

  const steps = () =>
    probeLeaseSteps({
      clusters: { get: () => ({ kube }) },
      locks: { assertHeld: async () => undefined },
      runs: { describe: async ({ workflowId }: { workflowId: string }) => states.get(workflowId) ?? { is: 'open' } },
    } as unknown as UpgradeDeps);
  const hold = { lease: LEASE, seconds: 1, by: 'anna', why: 'why' };
  const renewal = async (lease = LEASE) => (await kube.find('lease', lease))?.['spec'] as { renewTime?: string } | undefined;
  const until = (fits: () => Promise<boolean> | boolean) => waitFor('it to become so', fits, { timeoutMs: 5_000, intervalMs: 20 });

  test('renews until it is cancelled, also over a time in which Kubernetes is away, and writes nothing afterwards', async () => {
    const holding = steps().holdProbeLease(call, acting, plan, hold);
    holding.catch(() => undefined);
    await until(async () => (await renewal()) !== undefined);
    const first = await renewal();
    await until(async () => (await renewal())?.renewTime !== first?.renewTime);
    double.beforeEach = () => {
      throw new Refusal(503, 'ServiceUnavailable', 'away');
    };
    await until(() => waits.some((wait) => wait?.includes('away')));
    double.beforeEach = undefined;
    const before = await renewal();
    await until(async () => (await renewal())?.renewTime !== before?.renewTime);
    expect(waits.at(-1)).toBeUndefined();
    stop.abort();
    await expect(holding).rejects.toMatchObject({ name: 'AbortError' });
    const last = (await read()).metadata.resourceVersion;
    // What is renewed twice meanwhile shows that it had the time.
    const end = new AbortController();
    const other = steps().holdProbeLease({ ...call, signal: end.signal }, acting, plan, { ...hold, lease: 'other' });
    other.catch(() => undefined);
    for (const _renewed of [1, 2]) {
      const seen = await renewal('other');
      await until(async () => (await renewal('other'))?.renewTime !== seen?.renewTime);
    }
    end.abort();
    await expect(other).rejects.toMatchObject({ name: 'AbortError' });
    expect((await read()).metadata.resourceVersion).toBe(last);
  });

  test('ends when another upgrade that runs holds it', async () => {
    await leases.hold(LEASE, theirs, signal);
    await expect(steps().holdProbeLease(call, acting, plan, hold)).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});
