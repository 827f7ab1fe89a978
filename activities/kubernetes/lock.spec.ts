import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Acting } from '#libs/contracts/activities.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { type KubernetesDouble, Refusal, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import type { Holder } from '../shared/guard.js';
import type { RunState, WorkflowRuns } from '../shared/workflow-runs.js';
import { assertNotDeleted, LOCK_GRACE_MS, type Lock, Locks } from './lock.js';

const NAME = 'ws-u1';
const ALICE: Holder = { workflowId: `boot:${NAME}`, runId: 'run-1' };
const BOB: Holder = { workflowId: `reboot:${NAME}:op`, runId: 'run-2' };
const signal = new AbortController().signal;
const acting = (kind: Acting['kind'], uid = 'uid-1', operationId = 'op'): Acting => ({ kind, name: NAME, operationId, uid });

let double: KubernetesDouble;
let kube: KubernetesClient;
let now: number;
const states = new Map<string, RunState>();
let locks: Locks;

beforeEach(async () => {
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'webspaces' });
  now = Date.parse('2026-11-23T12:00:00Z');
  states.clear();
  const runs = { describe: async ({ runId }: Holder) => states.get(runId) ?? { is: 'open' } };
  locks = new Locks(kube, runs as unknown as WorkflowRuns, () => now);
});

afterEach(async () => {
  await kube.close();
  await double.close();
});

async function taken(me: Holder, what = acting('boot')): Promise<Lock> {
  const acquired = await locks.acquire(what, me, signal);
  if ('busy' in acquired) throw new Error(acquired.busy);
  return acquired.lock;
}

describe('taking the lock', () => {
  test('of many at once exactly one has it, and the others are told who', async () => {
    const tries = Array.from({ length: 6 }, (_, i) =>
      locks.acquire(acting('reboot'), { workflowId: `reboot:${NAME}:${i}`, runId: `r${i}` }, signal),
    );
    const outcomes = await Promise.all(tries);
    const winner = outcomes.findIndex((outcome) => 'lock' in outcome);
    const losers = outcomes.filter((outcome) => 'busy' in outcome);
    expect(losers).toHaveLength(5);
    for (const loser of losers)
      expect(loser).toMatchObject({
        busy: `reboot (reboot:${NAME}:${winner}) holds the lock`,
        kind: 'reboot',
        ended: false,
        held: { holder: { runId: `r${winner}` } },
      });
  });

  test('notes of the holder can be read by those who wait, and go with it', async () => {
    await locks.acquire(acting('import'), ALICE, signal, { 'example.org/wish': 'x' });
    const other = await locks.acquire(acting('import'), BOB, signal, { 'example.org/wish': 'y' });
    expect('held' in other && other.held.lease.metadata.annotations).toMatchObject({ 'example.org/wish': 'x' });
    await locks.release(acting('import'), (await locks.read(NAME)) as Lock, 'none', signal);
    expect((await taken(BOB)).lease.metadata.annotations).not.toHaveProperty('example.org/wish');
  });

  test('a retry of the same run adopts it', async () => {
    const first = await taken(ALICE);
    const again = await taken(ALICE);
    expect(again.lease.metadata.resourceVersion).toBe(first.lease.metadata.resourceVersion);
  });

  test('that a closed run held, only after its last requests have ended', async () => {
    await taken(ALICE);
    states.set(ALICE.runId, { is: 'closed', closedAtMs: now });
    now += LOCK_GRACE_MS - 1;
    expect(await locks.acquire(acting('reboot'), BOB, signal)).toMatchObject({ busy: expect.stringContaining('has ended'), ended: true });
    now += 1;
    expect((await taken(BOB)).holder).toEqual(BOB);
  });

  test('that a run held which Temporal does not know any more, counted from when it was taken', async () => {
    await taken(ALICE);
    states.set(ALICE.runId, { is: 'not-found' });
    now += LOCK_GRACE_MS;
    expect((await taken(BOB)).holder).toEqual(BOB);
  });

  test('that somebody else took between look and write, is not taken twice', async () => {
    await taken(ALICE);
    states.set(ALICE.runId, { is: 'closed', closedAtMs: now - LOCK_GRACE_MS });
    let stolen = false;
    double.beforeEach = async (request) => {
      if (stolen || !request.startsWith('PUT')) return;
      stolen = true;
      await taken({ workflowId: 'delete:ws-u1:x', runId: 'thief' }, acting('delete'));
    };
    expect(await locks.acquire(acting('reboot'), BOB, signal)).toMatchObject({ kind: 'delete', ended: false });
  });
});

test('a lock that cannot be read is neither free nor ours', async () => {
  await taken(ALICE);
  double.beforeEach = () => {
    throw new Refusal(503, 'ServiceUnavailable', 'the server is starting');
  };
  await expect(locks.acquire(acting('boot'), ALICE, signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(locks.holds(acting('boot'), ALICE, signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

describe('acting under the lock', () => {
  test('is refused to who lost it, and to all but a delete when the uid is marked as deleted', async () => {
    await taken(ALICE);
    await expect(locks.assertHeld(acting('boot'), BOB, signal)).rejects.toMatchObject({
      code: 'CONFLICT',
      details: { reason: 'lock-lost' },
    });
    await locks.assertHeld(acting('boot'), ALICE, signal);
    const marked = await locks.markDeleted(acting('delete', 'uid-1', 'op-delete'), BOB, signal);
    expect(marked.holder).toEqual(ALICE);
    await expect(locks.assertHeld(acting('boot'), ALICE, signal)).rejects.toMatchObject({ details: { reason: 'deleted' } });
    await locks.assertHeld(acting('boot', 'another uid'), ALICE, signal);
    await locks.assertHeld(acting('delete'), ALICE, signal);
  });

  test('a mark survives whoever writes the Lease next, and tells a retry what its operation marked', async () => {
    const lock = await taken(ALICE);
    await locks.markDeleted(acting('delete', 'uid-1', 'op-delete'), BOB, signal);
    await expect(locks.release(acting('boot'), lock, 'none', signal)).rejects.toMatchObject({ code: 'STALE' });
    await locks.release(acting('boot'), (await locks.read(NAME)) as Lock, 'none', signal);
    const free = (await locks.read(NAME)) as Lock;
    expect(free.holder).toBeUndefined();
    expect(() => assertNotDeleted(free, 'uid-1')).toThrow('is being deleted');
    expect(await locks.markedBy(acting('delete', '', 'op-delete'), signal)).toBe('uid-1');
    expect(await locks.markedBy(acting('delete', '', 'another'), signal)).toBeUndefined();
    expect((await taken(BOB)).deleted).toHaveLength(1);
  });

  test('marking a free one as deleted takes it', async () => {
    expect((await locks.markDeleted(acting('delete'), BOB, signal)).holder).toEqual(BOB);
  });

  test('a mark to look again refuses the release of what was seen before', async () => {
    const lock = await taken(ALICE);
    expect(await locks.markLookAgain(lock, signal)).toBe(true);
    await expect(locks.release(acting('boot'), lock, 'none', signal)).rejects.toMatchObject({ code: 'STALE' });
    const marked = (await locks.read(NAME)) as Lock;
    expect(marked.lookAgain).toBe(true);
    const cleared = await locks.clearLookAgain(marked, signal);
    expect(cleared.lookAgain).toBe(false);
    await locks.release(acting('boot'), cleared, 'none', signal);
    expect(await locks.read(NAME)).toBeUndefined();
  });
});

describe('what is left of a lock', () => {
  test('a tombstone stays for an hour, then the Lease goes', async () => {
    await locks.release(acting('create'), await taken(ALICE, acting('create')), 'tombstone', signal);
    await locks.forget((await locks.read(NAME)) as Lock, signal);
    expect((await locks.read(NAME))?.deleted).toMatchObject([{ uid: 'uid-1' }]);
    now += 3_600_000;
    await locks.forget((await locks.read(NAME)) as Lock, signal);
    expect(await locks.read(NAME)).toBeUndefined();
  });

  test('that a terminated run held is freed when its last requests have ended, never one that is held', async () => {
    const lock = await taken(ALICE);
    await locks.forget(lock, signal);
    expect((await locks.read(NAME))?.holder).toEqual(ALICE);
    states.set(ALICE.runId, { is: 'closed', closedAtMs: now });
    now += LOCK_GRACE_MS;
    await locks.forget(lock, signal);
    expect(await locks.read(NAME)).toBeUndefined();
  });

  test('that was taken since it was read is left alone', async () => {
    const lock = await taken(ALICE);
    states.set(ALICE.runId, { is: 'closed', closedAtMs: now - LOCK_GRACE_MS });
    await taken(BOB);
    await locks.forget(lock, signal);
    expect((await locks.read(NAME))?.holder).toEqual(BOB);
  });
});
