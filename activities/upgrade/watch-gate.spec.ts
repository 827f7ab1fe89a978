import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, jest, test } from '@jest/globals';
import type { Acting } from '#libs/contracts/activities.js';
import { failed, passed, waiting } from '#libs/domain/upgrade/gate-outcomes.js';
import type { GateAim, GateOutcome } from '#libs/domain/upgrade/gates.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Call } from '../shared/guard.js';
import type { UpgradeDeps } from './deps.js';
import { type Look, watchSteps, watchUntil } from './watch-gate.js';

const POLL_MS = 5;

interface Given {
  readonly settleSeconds?: number;
  readonly knownReason?: string;
  readonly returnOn?: 'change' | 'outcome';
  readonly returnAfterSeconds?: number;
  readonly passingSince?: string;
  readonly deadlineMs?: number;
  readonly attempt?: number;
}

/** Looks that are given one after the other, the last one again and again. */
function watched(looks: readonly (GateOutcome | PlatformError)[], given: Given = {}, looking?: () => Promise<Look>) {
  const waits: string[] = [];
  const call: Call = {
    signal: new AbortController().signal,
    me: { workflowId: 'upgrade:a', runId: 'r' },
    attempt: given.attempt ?? 1,
    sinceMs: () => 0,
    waiting: (details) => void waits.push(details?.waitingFor ?? ''),
  };
  let at = 0;
  const next = async (): Promise<Look> => {
    const outcome = looks[Math.min(at++, looks.length - 1)] as GateOutcome | PlatformError;
    if (outcome instanceof PlatformError) throw outcome;
    return { outcome, table: [] };
  };
  const look = jest.fn(looking ?? next);
  const reading = watchUntil(
    call,
    {
      name: 'agreement',
      pollMs: POLL_MS,
      settleSeconds: given.settleSeconds ?? 0,
      deadline: new Date(Date.now() + (given.deadlineMs ?? 60_000)).toISOString(),
      knownReason: given.knownReason ?? '',
      returnOn: given.returnOn ?? 'change',
      returnAfterSeconds: given.returnAfterSeconds ?? 60,
      passingSince: given.passingSince,
    },
    look,
  );
  return { reading, look, waits };
}

const A = waiting('a', '1 of 3');
const B = waiting('b');

describe('a gate that is watched', () => {
  test('returns when it passes, and tells meanwhile what it waits for with its numbers', async () => {
    const { reading, waits } = watched([A, A, passed('all')], { knownReason: 'a' });
    expect(await reading).toMatchObject({ outcome: passed('all'), readings: 3 });
    expect(waits).toEqual(['agreement: a (1 of 3)', 'agreement: a (1 of 3)']);
  });

  test('returns at once when it waits for something else, unless only its outcome is asked for', async () => {
    expect(await watched([A, B, passed('')], { knownReason: 'a' }).reading).toMatchObject({ outcome: B, readings: 2 });
    const quiet = watched([A, B, passed('all')], { knownReason: 'a', returnOn: 'outcome' });
    expect(await quiet.reading).toMatchObject({ outcome: passed('all'), readings: 3 });
  });

  test('returns with newer numbers after the time given', async () => {
    const { reading } = watched([A], { knownReason: 'a', returnAfterSeconds: 0.02 });
    expect(await reading).toMatchObject({ outcome: A });
  });

  test('fails with what it waited for when its time is over, and at once when waiting does not help', async () => {
    const late = await watched([A], { knownReason: 'a', deadlineMs: 20 }).reading;
    expect(late.outcome).toMatchObject({ is: 'failed', reason: expect.stringContaining('a (1 of 3)') });
    const broken = watched([failed('x', 'y')]);
    expect(await broken.reading).toMatchObject({ outcome: failed('x', 'y'), readings: 1 });
  });

  test('waits while the cluster cannot be read', async () => {
    const away = new PlatformError('NOT_FOUND', 'no StatefulSet');
    const { reading } = watched([away, away, passed('all')], { knownReason: 'The cluster cannot be read.' });
    expect(await reading).toMatchObject({ outcome: passed('all'), readings: 3 });
    expect((await watched([away]).reading).outcome).toEqual(waiting('The cluster cannot be read.', 'no StatefulSet'));
  });

  test('leaves the cluster alone for as long as a look took, but after one that costs next to nothing', async () => {
    const lookMs = 150;
    const restAfter = async (rest: 'none' | undefined) => {
      const ends: number[] = [];
      const rests: number[] = [];
      const slow = async () => {
        if (ends.length > 0) rests.push(Date.now() - Number(ends.at(-1)));
        await pause(lookMs);
        ends.push(Date.now());
        return { outcome: ends.length < 3 ? A : passed('all'), table: [], ...(rest ? { rest } : {}) };
      };
      await watched([], { knownReason: 'a' }, slow).reading;
      return rests;
    };
    for (const restMs of await restAfter(undefined)) expect(restMs).toBeGreaterThanOrEqual(lookMs - 2);
    expect(Math.min(...(await restAfter('none')))).toBeLessThan(lookMs - 2);
  });

  test('has to pass without a break for as long as it has to settle', async () => {
    const since = Date.now();
    const looks = [passed(''), A, passed('')];
    const { reading, look } = watched(looks, { settleSeconds: 0.05, returnOn: 'outcome' });
    const { outcome, passingSince } = await reading;
    expect(outcome.is).toBe('passed');
    expect(Date.now() - Date.parse(passingSince ?? '')).toBeGreaterThanOrEqual(50);
    expect(Date.parse(passingSince ?? '')).toBeGreaterThanOrEqual(since + POLL_MS * 2);
    expect(look.mock.calls.length).toBeGreaterThan(3);
  });

  test('goes on settling where the last call was left, but not where an attempt was lost', async () => {
    const passingSince = new Date(Date.now() - 10_000).toISOString();
    const on = { settleSeconds: 10, passingSince };
    expect(await watched([passed('')], on).reading).toMatchObject({ outcome: { is: 'passed' }, passingSince, readings: 1 });
    const anew = await watched([passed('')], { ...on, attempt: 2 }).reading;
    expect(anew.outcome.is).toBe('waiting');
    expect(anew.passingSince).not.toBe(passingSince);
  });
});

test('while a member starts, the gate asks its pod and leaves the rest of the cluster alone', async () => {
  const asked: string[] = [];
  const cluster = {
    config: { container: 'lxd', environment: [], pollSeconds: 0.2 },
    remembered: { members: async () => ({ members: [{ name: 'lxd-1', pod: 'lxd-1', address: 'lxd-1.lxd:8443' }] }) },
    kube: { find: async (_kind: string, name: string) => void asked.push(name) },
  };
  const deps = { clusters: { get: () => cluster } } as unknown as UpgradeDeps;
  const call = { signal: new AbortController().signal, me: { workflowId: 'upgrade:a', runId: 'r' }, attempt: 1 } as Call;
  const watch = {
    ...{ call: { gate: 'member-recorded' as const, members: ['lxd-1'] }, aim: { build: { image: 'lxd:2', environment: {} } } as GateAim },
    ...{ settleSeconds: 0, deadline: new Date(Date.now() + 60_000).toISOString(), knownReason: '', returnOn: 'change' as const },
    ...{ returnAfterSeconds: 60, passingSince: undefined },
  };
  const { outcome } = await watchSteps(deps).watchGate(call, { name: 'cluster-c1', operationId: 'a' } as Acting, 'c1', watch);
  expect({ outcome, asked }).toEqual({ outcome: waiting('The pod of lxd-1 is not replaced yet.'), asked: ['lxd-1'] });
});
