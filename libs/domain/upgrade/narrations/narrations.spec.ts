import { readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { golden } from '#libs/testing/golden.js';
import { quorumOf } from '../quorum.js';
import { type Narration, narrate } from './narrate.js';
import { rolloutOf, SCENARIOS } from './scenarios.js';

const fileOf = (name: string) => new URL(`golden/${name}.txt`, import.meta.url);
const played = (name: string, seed = 0): Narration => {
  const scenario = SCENARIOS[name];
  if (!scenario) throw new Error(`There is no scenario ${name}.`);
  return narrate(rolloutOf(scenario, seed));
};
const names = Object.keys(SCENARIOS);
const ABORTED = names.filter((name) => /^(crash-loop|abort)-/.test(name));
const rolledBack = ABORTED.filter((name) => name !== 'abort-too-late');

describe('a rollout reads as it is committed', () => {
  test.each(names)('%s', (name) => {
    const text = `${played(name).lines.join('\n')}\n`;
    expect(text.split('\n')).toEqual(golden(fileOf(name), text).split('\n'));
  });

  test('and no golden file is left of a scenario that is gone', () => {
    expect(readdirSync(new URL('golden/', import.meta.url)).sort()).toEqual(names.map((name) => `${name}.txt`).sort());
  });
});

test('the order of what is observed changes neither a word nor the hash', () => {
  const plain = new Map(names.map((name) => [name, played(name)]));
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.integer({ min: 1, max: 2 ** 31 - 1 }), (name, seed) => {
      const other = played(name, seed);
      expect(other.lines).toEqual(plain.get(name)?.lines);
      expect(other.plan.hash).toBe(plain.get(name)?.plan.hash);
    }),
    { numRuns: 60 },
  );
});

describe('what an observer saw beside it', () => {
  test.each(names)('%s: quorum is lost by an approved parallel plan alone, and never two are down in a rolling one', (name) => {
    const { plan, seen } = played(name);
    expect(seen.quorumLostSeconds > 0).toBe(plan.quorum === 'lost-on-purpose');
    if (plan.kind === 'rolling') expect(seen.mostDown).toBeLessThanOrEqual(1);
  });

  test.each(names.filter((name) => !ABORTED.includes(name)))(
    '%s: ends with all serving, agreeing, on the wanted build, probes in every pod',
    (name) => {
      const { end, plan } = played(name);
      expect(end.members.map(({ answers, versions }) => ({ answers, versions }))).toEqual(
        end.members.map(() => ({ answers: 'serving', versions: plan.target.versions })),
      );
      expect(end.pods.map(({ build, probes }) => ({ build, probes: probes.length }))).toEqual(
        end.members.map(() => ({ build: plan.target.build, probes: 3 })),
      );
      expect(end.statefulSet).toMatchObject(
        plan.found.podManagementPolicy === 'OrderedReady' ? { podManagementPolicy: 'OrderedReady' } : {},
      );
      expect(end.statefulSet.updateStrategy).toEqual(plan.found.updateStrategy);
    },
  );

  test.each(rolledBack)('%s: the way back ends where it began', (name) => {
    const { end, plan } = played(name);
    expect(
      end.pods.every(({ build, ready, probes }) => build.image === plan.before.build.image && ready === 'yes' && probes.length === 3),
    ).toBe(true);
    expect(end.members.every(({ versions, answers }) => answers === 'serving' && versions.schema === plan.before.versions.schema)).toBe(
      true,
    );
    expect(end.statefulSet.updateStrategy).toEqual(plan.found.updateStrategy);
    expect(quorumOf(end.members).online).toBe(end.members.length);
  });

  test('after the point of no return there is no way back, and it is said', () => {
    expect(played('abort-too-late').lines.join('\n')).toContain('way back: closed.');
  });

  test.each([
    'rolling-3',
    'rolling-5-ordered-ready',
    'lockstep-sequential-3',
    'lockstep-parallel-3',
    'lockstep-sequential-5-ordered-ready',
    'lockstep-parallel-5-ordered-ready',
    'template-probes-sequential',
    'template-probes-parallel-ordered-ready',
  ])('%s: the outage of the API is as expected, within a fifth', (name) => {
    const { plan, seen } = played(name);
    expect(Math.abs(seen.apiAwaySeconds - plan.outage.api.seconds)).toBeLessThanOrEqual(plan.outage.api.seconds / 5);
  });

  test.each(['rolling-3', 'lockstep-sequential-3', 'lockstep-parallel-3', 'lockstep-sequential-5-ordered-ready'])(
    '%s: and so is that of each member, the start of its instances aside',
    (name) => {
      const { plan, seen } = played(name);
      for (const { member, seconds } of plan.outage.members) {
        const expected = seconds - 5;
        expect(Math.abs((seen.memberAwaySeconds.get(member) ?? 0) - expected)).toBeLessThanOrEqual(expected / 5);
      }
    },
  );
});
