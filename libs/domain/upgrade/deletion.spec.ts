import { describe, expect, test } from '@jest/globals';
import { whyNotDeleted } from './deletion.js';
import { healthy, plan, withMembers } from './narrations/plans.js';
import { desiredOf, REBUILT } from './narrations/scenarios.js';

const aim = plan(healthy, desiredOf(REBUILT)).aims.target;
const still = [{ call: { gate: 'members-online', members: ['lxd-1', 'lxd-2'] }, aim }] as const;

describe('a pod is not deleted', () => {
  test.each([
    ['where that would leave no majority', { answers: 'silent' }, { quorum: 'kept' }, /^Without lxd-0 quorum would be lost: 1 of 3/],
    ['while another one is away that has no vote', { answers: 'silent', database: 'spare' }, { quorum: 'no-margin', still }, /^lxd-2 /],
    ['while another one waits', { answers: 'waiting' }, { quorum: 'no-margin', still }, /^lxd-2 waits/],
  ] as const)('%s', (_case, other, wanted, says) => {
    expect(whyNotDeleted(withMembers({ 'lxd-2': other }), { members: ['lxd-0'], ...wanted })).toMatch(says);
  });
});

test.each([
  ['all others serve', {}, { quorum: 'kept', still }],
  ['nothing is asked of the others but their votes', { answers: 'waiting' }, { quorum: 'kept' }],
  ['quorum is lost on purpose', { answers: 'silent' }, { quorum: 'lost-on-purpose' }],
  ['it has no vote itself', { answers: 'silent' }, { quorum: 'kept', members: ['lxd-2'] }],
] as const)('a pod is deleted where %s', (_case, other, wanted) => {
  const observed = withMembers({ 'lxd-2': { ...other, ...('members' in wanted ? { database: 'spare' as const } : {}) } });
  expect(whyNotDeleted(observed, { members: ['lxd-0'], ...wanted })).toBeUndefined();
});

test('the only voters of a small cluster go back one by one: there never is a margin', () => {
  const spares = { 'lxd-1': { database: 'spare' }, 'lxd-2': { database: 'spare' } } as const;
  expect(whyNotDeleted(withMembers(spares), { members: ['lxd-0'], quorum: 'kept' })).toBeUndefined();
});
