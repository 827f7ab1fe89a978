import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Outcome } from '../support/direct.js';
import { FULL, report, times } from '../support/lab-session.js';
import { RaceLab } from '../support/race-lab.js';

let races: RaceLab;

beforeAll(async () => {
  races = await RaceLab.open();
}, 180_000);

afterAll(() => races.close());

const tell = (outcome: Outcome) => (outcome.is === 'completed' ? 'completed' : `${outcome.is} ${outcome.code}`);

test(
  'of creations at once for one user exactly one succeeds',
  async () => {
    const rounds = times({ short: 2, full: 50 });
    await races.rounds(rounds, 2, async (index) => {
      const who = races.member();
      const started = await Promise.all(Array.from({ length: 2 + (index % 3) }, () => races.direct.create(who)));
      const outcomes = await Promise.all(started.map((one) => races.end(one)));
      expect(outcomes.map(tell).sort()).toEqual(['completed', ...started.slice(1).map(() => 'failed CONFLICT')]);
      await races.becomes(who, 'whole');
      const [winner] = started.filter((_one, i) => outcomes[i]?.is === 'completed');
      expect((await races.worlds.verdict(who.name, 1_000)).uid).toBe(winner?.uid);
      await races.delete(who);
    });
    report('creations at once for one user', `${rounds} rounds`);
  },
  FULL ? 600_000 : 90_000,
);

const USERS = times({ short: 8, full: 20 });

test(`${USERS} users at once get as many webspaces, and deletes at once take them away`, async () => {
  const members = Array.from({ length: USERS }, () => races.member());
  const began = Date.now();
  const started = await Promise.all(members.map((who) => races.direct.create(who)));
  const outcomes = await Promise.all(started.map((one) => races.end(one)));
  report(`${USERS} creations at once`, `${((Date.now() - began) / 1000).toFixed(1)} s`);
  expect(outcomes.map(tell)).toEqual(members.map(() => 'completed'));
  for (const who of members) await races.becomes(who, 'whole');
  const addresses = outcomes.map((outcome) => (outcome.is === 'completed' ? (outcome.result as { address: string }).address : ''));
  expect(new Set(addresses).size).toBe(members.length);
  // Two deletes of each: the later one waits, or finds nothing.
  const deletes = await Promise.all(members.flatMap((who) => [races.direct.run('delete', who), races.direct.run('delete', who)]));
  const ends = await Promise.all(deletes.map((one) => races.end(one)));
  expect(ends.map(tell).filter((end) => end !== 'completed' && end !== 'failed NOT_FOUND')).toEqual([]);
  for (const who of members) await races.becomes(who, 'nothing');
  expect(await races.orphans()).toEqual([]);
}, 180_000);
