import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { verdictOn } from '../support/audit.js';
import type { Member, Outcome, Started } from '../support/direct.js';
import { FULL, report, times } from '../support/lab-session.js';
import { RaceLab } from '../support/race-lab.js';

/** A sweep removes at most five webspaces' left-overs without an admin's yes: no more than these are terminated at once. */
const CREATES = 2;
const DELETES = 2;
const BATCHES = times({ short: 1, full: 20 });
/** Temporal lets the last requests of a terminated operation end before its lock may be broken; then sweeps do the rest. */
const SWEPT_MS = 120_000;

let races: RaceLab;

beforeAll(async () => {
  races = await RaceLab.open();
}, 180_000);

afterAll(() => races.close());

async function terminated(start: Promise<Started>, withinMs: number): Promise<void> {
  const started = await start;
  await sleep(races.random.upTo(withinMs));
  await races.direct.terminate(started);
}

/** Sweeps until every one of them is whole or gone; the Schedule would do so, more slowly. */
function swept(members: readonly Member[]): Promise<string[]> {
  const look = async () => {
    await races.direct.sweep();
    const world = await races.worlds.next();
    const verdicts = members.map(({ name }) => verdictOn(world, name));
    const wrong = verdicts.flatMap(({ problems }) => problems);
    if (wrong.length > 0) throw new Error(wrong.join('; '));
    return verdicts.map(({ is }) => is);
  };
  return waitFor('sweeps to repair what was terminated', look, { timeoutMs: SWEPT_MS, intervalMs: 2_000 });
}

/** A creation right after one that was terminated: it is not told that a webspace exists which does not. */
async function createAgain(who: Member): Promise<Outcome> {
  await terminated(races.direct.create(who), 60);
  const again = await races.end(await races.direct.create(who));
  if (again.is === 'completed') return again;
  if (again.code === 'CONFLICT' && (await races.worlds.next()).instances.has(who.name)) return again;
  if (again.code !== 'UNAVAILABLE') throw new Error(`${who.name}: ${again.is} ${again.code} ${again.message}`);
  return again;
}

test(
  'what was terminated at any moment is whole or gone after the sweeps, and its lock is free',
  async () => {
    const ends = { create: [] as string[], delete: [] as string[], 'create again': [] as string[] };
    for (let batch = 0; batch < BATCHES; batch++) {
      const created = Array.from({ length: CREATES }, () => races.member());
      const again = races.member();
      const deleted = await Promise.all(Array.from({ length: DELETES }, () => races.have('running')));
      await Promise.all([
        ...created.map((who) => terminated(races.direct.create(who, { boot: true }), 1_500)),
        ...deleted.map((who) => terminated(races.direct.run('delete', who), 1_200)),
        createAgain(again),
      ]);
      const members = [...created, ...deleted, again];
      const is = await swept(members);
      ends.create.push(...is.slice(0, CREATES));
      // A delete that was terminated before it had begun has not happened; it is never half done.
      ends.delete.push(...is.slice(CREATES, CREATES + DELETES));
      ends['create again'].push(...is.slice(CREATES + DELETES));
      for (const [i, who] of members.entries()) if (is[i] === 'whole') await races.delete(who);
    }
    for (const [kind, list] of Object.entries(ends)) {
      report(
        `${kind} terminated`,
        `${list.filter((is) => is === 'whole').length} whole, ${list.filter((is) => is === 'nothing').length} nothing`,
      );
    }
    expect(await races.orphans()).toEqual([]);
  },
  FULL ? 3_600_000 : 300_000,
);
