import { describe, expect, test } from '@jest/globals';
import { healthy, plan } from './narrations/plans.js';
import { BUMPED, desiredOf, NEWER, OLD, REBUILT } from './narrations/scenarios.js';
import type { ChangeState, ProposedChange } from './proposed-change.js';
import { pullRequestText, templateChangeKind } from './pull-request-text.js';
import { type MergeTerms, mergeableHead, readMerge } from './read-merge.js';

type Open = Extract<ChangeState, { is: 'open' }>;
const CHECKS: Open['checks'] = { passed: ['build'], pending: [], failed: [] };
const open = (changes: Partial<Open> = {}): Open => ({
  is: 'open',
  head: 'a1',
  values: 'ours',
  checks: CHECKS,
  mergeable: 'yes',
  ...changes,
});
const change = (state: ChangeState): ProposedChange => ({
  ...{ number: 3, url: 'https://git.example/pull/3', branch: 'webspaces/x', base: 'main', file: 'lxd.yaml', state },
});
const ours: MergeTerms = { merge: 'ours', requiredChecks: ['build'] };
const person: MergeTerms = { ...ours, merge: 'person' };
const merged = (base: Extract<ChangeState, { is: 'merged' }>['base']): ChangeState => ({
  is: 'merged',
  commit: 'c0ffee',
  at: '2026-01-01T00:00:00Z',
  base,
});

describe('a pull request', () => {
  test.each<readonly [string, ChangeState, MergeTerms, string, RegExp]>([
    ['with a check that runs', open({ checks: { ...CHECKS, pending: ['lint'] } }), person, 'waiting', /checks .*: lint\.$/],
    ['whose required check has said nothing', open({ checks: { ...CHECKS, passed: [] } }), person, 'waiting', /checks .*: build\.$/],
    [
      'with checks that failed, also while others run',
      open({ checks: { passed: [], pending: ['lint'], failed: ['a', 'b'] } }),
      ours,
      'failed',
      /2 checks .*: a and b/,
    ],
    ['in conflict', open({ mergeable: 'conflict' }), ours, 'failed', /conflicts with main/],
    ['that a person merges', open(), person, 'waiting', /waits for a person to merge it into main/],
    ['that a person merges, kept back by a rule', open({ mergeable: 'blocked' }), person, 'waiting', /waits for a person/],
    ['that we merge, kept back by a rule', open({ mergeable: 'blocked' }), ours, 'waiting', /rule of the repository/],
    ['of which GitHub knows nothing yet', open({ mergeable: 'unknown' }), ours, 'waiting', /works out/],
    ['that somebody has changed', open({ values: 'theirs' }), ours, 'waiting', /a person has to merge it/],
    ['that was closed', { is: 'closed', by: 'bob', at: '2026-01-01T00:00:00Z' }, ours, 'failed', /closed by bob without a merge/],
    ['that was merged', merged({ holds: 'ours' }), person, 'passed', /merged into main as c0ffee/],
    ['whose values are gone by we know not whom', merged({ holds: 'others' }), person, 'failed', /somebody took them back\.$/],
    ['that was not needed', { is: 'unneeded', base: { holds: 'ours' } }, person, 'passed', /has these values already/],
    ['that was not needed and is now', { is: 'unneeded', base: { holds: 'others' } }, person, 'failed', /took them back/],
  ])('%s', (_case, state, terms, is, says) => {
    const outcome = readMerge(change(state), terms);
    expect(outcome.is).toBe(is);
    expect(outcome.is === 'passed' ? outcome.because : outcome.reason).toMatch(says);
  });

  test('that is merged passes on when the cluster shows it, and says what the cluster says until then', () => {
    const at = (shown: MergeTerms['shown']) => readMerge(change(merged({ holds: 'ours' })), { ...person, shown });
    expect(at({ is: 'passed', because: 'It shows.' })).toMatchObject({ is: 'passed' });
    expect(at({ is: 'waiting', reason: 'Still lxd:1.', progress: '1 of 2' })).toMatchObject({ is: 'waiting', progress: '1 of 2' });
    expect(at({ is: 'failed', reason: 'No.', remedy: 'Do.' })).toEqual({ is: 'failed', reason: 'No.', remedy: 'Do.' });
  });

  test('is ours to merge only when it is configured and nothing speaks against it', () => {
    const states = [
      open({ checks: { ...CHECKS, pending: ['x'] } }),
      open({ checks: { ...CHECKS, failed: ['x'] } }),
      open({ values: 'theirs' }),
    ];
    const kept = [...states, open({ checks: { ...CHECKS, passed: [] } }), open({ mergeable: 'blocked' }), open({ mergeable: 'unknown' })];
    expect(kept.map((state) => mergeableHead(change(state), ours))).toEqual(kept.map(() => undefined));
    expect([mergeableHead(change(open()), ours), mergeableHead(change(open()), person)]).toEqual(['a1', undefined]);
  });
});

describe('the words of a pull request', () => {
  const byTemplate = plan(healthy, desiredOf(NEWER, { way: 'gitops', probes: 'template' }));
  const byLease = plan(healthy, desiredOf(REBUILT, { way: 'gitops' }));

  test('say which of the template steps it is', () => {
    const kindsOf = (of: typeof byTemplate) =>
      of.steps.flatMap(({ action }) => (action.do === 'patch-template' ? [templateChangeKind(of, action)] : []));
    expect(kindsOf(byTemplate)).toEqual(['image-without-probes', 'probes-back']);
    expect(kindsOf(byLease)).toEqual(['image']);
    expect(templateChangeKind(byTemplate, { build: OLD, probes: ['liveness'] })).toBe('way-back');
  });

  test('have the plan in them: its hash, every step, its warnings and its way back', () => {
    const { title, body } = pullRequestText(byTemplate, 'image-without-probes');
    expect(title).toBe(`Upgrade ${byTemplate.cluster} to lxd:2, probes off meanwhile`);
    for (const { id } of byTemplate.steps) expect(body).toContain(`- \`${id}\` `);
    for (const { text } of byTemplate.warnings) expect(body).toContain(text);
    for (const text of [byTemplate.hash, byTemplate.wayBack, 'A second pull request brings the probes back']) expect(body).toContain(text);
  });

  test('take no Markdown from names', () => {
    const build = { image: 'lxd:`@everybody`|x', environment: {} };
    const { body } = pullRequestText({ ...byLease, target: { ...byLease.target, build } }, 'image');
    expect(body).toContain("| image | `lxd:1` | `lxd:'@everybody'\\|x` |");
    const { body: bumped } = pullRequestText(plan(healthy, desiredOf(BUMPED)), 'image');
    expect(bumped).toContain('| variables | none | `LXD_ARTIFICIALLY_BUMP_API_EXTENSIONS=1` |');
  });
});
