import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DeadlineError, waitFor } from '#lab/wait.js';
import type { Member, Started } from '../support/direct.js';
import { FULL, report, times } from '../support/lab-session.js';
import { RaceLab } from '../support/race-lab.js';

const ROUNDS = times({ short: 4, full: 200 });
const LANES = 4;
const TIMEOUT_MS = FULL ? 1_800_000 : 120_000;
/** What a creation with a boot runs until it is there for good. */
const STEPS = ['makeWebspace', 'startInstance', 'awaitReady', 'settle'];

let races: RaceLab;

beforeAll(async () => {
  races = await RaceLab.open();
}, 180_000);

afterAll(() => races.close());

/** As Temporal UI does. */
const byTemporal = (started: Started) => races.direct.cancel(started);

async function byApi(started: Started): Promise<void> {
  const { status, body } = await races.lab.api('admin', 'POST', `/v2/operations/${started.id}/cancel`);
  // Refused only because it came too late; what the operation then left is looked at.
  if (status === 409 && (await races.end(started)).is === 'completed') return;
  if (status >= 300) throw new Error(`cancel of ${started.id}: ${status} ${body}`);
}

const WAYS = { 'Temporal UI': byTemporal, 'the API': byApi } as const;

/** A cancelled creation has left nothing; one that was done before has left a whole webspace, and says so. */
async function holds(who: Member, started: Started, seen: Map<string, number>): Promise<void> {
  const outcome = await races.end(started);
  seen.set(outcome.is, (seen.get(outcome.is) ?? 0) + 1);
  if (outcome.is === 'cancelled') {
    await races.becomes(who, 'nothing', 10_000);
    return;
  }
  if (outcome.is !== 'completed') throw new Error(`${started.id}: ${outcome.is} ${outcome.code} ${outcome.message}`);
  await races.becomes(who, 'whole', 10_000);
  await races.delete(who);
}

const counts = (seen: Map<string, number>) => [...seen].map(([is, count]) => `${count} ${is}`).join(', ');

describe.each(Object.entries(WAYS))('a creation cancelled by %s', (way, cancel) => {
  test(
    'at any moment leaves nothing, or a whole webspace if it was done',
    async () => {
      const seen = new Map<string, number>();
      await races.rounds(ROUNDS, LANES, async (index) => {
        const who = races.member();
        const boot = index % 2 === 0;
        const started = await races.direct.create(who, { boot });
        await sleep(races.random.upTo(boot ? 1_500 : 500));
        await cancel(started);
        await holds(who, started, seen);
      });
      report(`create cancelled by ${way}`, counts(seen));
    },
    TIMEOUT_MS,
  );
});

test(
  'a creation cancelled in each of its steps leaves nothing, or a whole webspace',
  async () => {
    const seen = new Map<string, number>();
    const met = new Set<string>();
    await races.rounds(STEPS.length * times({ short: 1, full: 10 }), LANES, async (index) => {
      const who = races.member();
      const step = STEPS[index % STEPS.length] as string;
      const started = await races.direct.create(who, { boot: true });
      if (await reached(started, step)) met.add(step);
      await byTemporal(started);
      await holds(who, started, seen);
    });
    report('create cancelled step by step', `${counts(seen)}; met in ${[...met].join(', ')}`);
    expect([...met]).toContain('makeWebspace');
  },
  TIMEOUT_MS,
);

/** Whether the step was seen under way before the operation ended. */
async function reached(started: Started, step: string): Promise<boolean> {
  const handle = races.direct.client.workflow.getHandle(started.workflowId, started.runId);
  const look = async () => {
    const { status, raw } = await handle.describe();
    if ((raw.pendingActivities ?? []).some(({ activityType }) => activityType?.name === step)) return 'under way';
    return status.name === 'RUNNING' ? undefined : 'ended';
  };
  try {
    return (await waitFor(step, look, { timeoutMs: 20_000, intervalMs: 1 })) === 'under way';
  } catch (error) {
    if (error instanceof DeadlineError) return false;
    throw error;
  }
}

describe.each([
  ['boot', 'stopped'],
  ['shutdown', 'running'],
  ['reboot', 'running'],
] as const)('a cancelled %s', (kind, state) => {
  test(
    'frees the lock and leaves the webspace as LXD has it',
    async () => {
      const seen = new Map<string, number>();
      await races.rounds(times({ short: 2, full: 50 }), LANES, async () => {
        const who = await races.have(state);
        const started = await races.direct.run(kind, who);
        await sleep(races.random.upTo(kind === 'reboot' ? 1_500 : 700));
        await byTemporal(started);
        const outcome = await races.end(started);
        seen.set(outcome.is, (seen.get(outcome.is) ?? 0) + 1);
        expect(['completed', 'cancelled']).toContain(outcome.is);
        await races.becomes(who, 'whole', 10_000);
        await races.delete(who);
        await races.becomes(who, 'nothing', 10_000);
      });
      report(`${kind} cancelled`, counts(seen));
    },
    TIMEOUT_MS,
  );
});

test('nothing is left of anything that was cancelled', async () => {
  await races.direct.sweep();
  expect(await races.orphans()).toEqual([]);
}, 60_000);
