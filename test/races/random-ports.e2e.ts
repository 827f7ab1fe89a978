import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ChangeWebspaceResult } from '#libs/contracts/operations.js';
import { FULL, report, times } from '../support/lab-session.js';
import { RaceLab } from '../support/race-lab.js';

const WEBSPACES = times({ short: 6, full: 200 });
const LANES = 6;
let races: RaceLab;

beforeAll(async () => {
  races = await RaceLab.open();
}, 180_000);

afterAll(() => races.close());

test(
  `${WEBSPACES} webspaces that ask for any port at once get as many different ones`,
  async () => {
    const members = Array.from({ length: WEBSPACES }, () => races.member());
    await races.rounds(WEBSPACES, LANES, async (index) => {
      await races.have('stopped', members[index]);
    });
    const begun = Date.now();
    const change = { ports: { add: [{ protocol: 'tcp', internal: 22 } as const], remove: [] } };
    const asked = await Promise.all(members.map((who) => races.direct.change(who, change)));
    const outcomes = await Promise.all(asked.map((started) => races.end(started)));
    report(`${WEBSPACES} random ports at once`, `${Date.now() - begun} ms`);
    const ports = outcomes.map((outcome) => {
      if (outcome.is !== 'completed') throw new Error(`${outcome.is} ${outcome.code} ${outcome.message}`);
      return (outcome.result as ChangeWebspaceResult).added[0]?.external;
    });
    expect(new Set(ports).size).toBe(WEBSPACES);
    await races.rounds(WEBSPACES, LANES, async (index) => {
      const who = members[index] as (typeof members)[number];
      await races.becomes(who, 'whole', 30_000);
      await races.delete(who);
      await races.becomes(who, 'nothing', 30_000);
    });
    expect(await races.orphans()).toEqual([]);
  },
  FULL ? 900_000 : 120_000,
);
