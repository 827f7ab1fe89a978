import { describe, expect, test } from '@jest/globals';
import { exampleRecord } from '#libs/testing/example-record.js';
import { type AccountStanding, actionFor, standingOf } from './account-policy.js';
import type { Suspension } from './suspension.js';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-23T12:00:00.000Z');
const times = { nowMs: NOW, membershipMs: 365 * DAY, graceMs: 30 * DAY };
const daysAgo = (days: number) => new Date(NOW - days * DAY).toISOString();
const account = { username: 'alice', isAdmin: false };

describe('the standing of an account', () => {
  test.each([
    ['does not exist', undefined, 'deleted'],
    ['was renewed lately', { ...account, renewedAt: daysAgo(364) }, 'good'],
    ['was renewed too long ago', { ...account, renewedAt: daysAgo(365) }, 'expired'],
    ['was never renewed', { ...account, renewedAt: '0001-01-01T00:00:00Z' }, 'expired'],
    ['is an admin', { ...account, isAdmin: true, renewedAt: daysAgo(1000) }, 'good'],
    ['is in a directory without memberships', account, 'good'],
  ])('that %s', (_case, found, is) => expect(standingOf(found, times)).toMatchObject({ is }));

  test('never ends when memberships do not', () => {
    expect(standingOf({ ...account, renewedAt: daysAgo(9999) }, { ...times, membershipMs: undefined })).toMatchObject({ is: 'good' });
  });
});

describe('what the standing of its account calls for', () => {
  const suspended = (reason: Suspension['reason'], days: number) =>
    exampleRecord({ policy: { alwaysOn: false, suspended: { since: daysAgo(days), reason, by: 'x' } } });
  const decide = (record: ReturnType<typeof exampleRecord>, standing: AccountStanding, changes: object = {}) =>
    actionFor('ws-u1', record, standing, 'ws.example.org', { ...times, ...changes });
  const good: AccountStanding = { is: 'good', username: 'alice' };
  const common = { name: 'ws-u1', owner: '1' };

  test.each([
    ['good and unchanged: nothing', exampleRecord(), good, undefined],
    ['renamed: the new name', exampleRecord(), { is: 'good', username: 'alicia' }, { action: 'rename', ...common, username: 'alicia' }],
    ['of one that the original made: nothing to rename', exampleRecord({ owner: { id: '1' } }), good, undefined],
    ['deleted: off', exampleRecord(), { is: 'deleted' }, { action: 'suspend', ...common, reason: 'deleted' }],
    ['expired: off', exampleRecord(), { is: 'expired' }, { action: 'suspend', ...common, reason: 'expired' }],
    ['deleted and suspended lately: nothing', suspended('deleted', 29), { is: 'deleted' }, undefined],
    ['deleted and suspended for the grace: archived', suspended('deleted', 30), { is: 'deleted' }, { action: 'archive', ...common }],
    ['expired, then deleted: counted from the first', suspended('expired', 30), { is: 'deleted' }, { action: 'archive', ...common }],
    ['good again: on', suspended('expired', 100), good, { action: 'resume', ...common }],
    ['good again under another name: on first', suspended('expired', 1), { is: 'good', username: 'a2' }, { action: 'resume', ...common }],
    ['suspended by an admin, and good: stays off', suspended('admin', 100), good, undefined],
    ['suspended by an admin, and deleted: is kept', suspended('admin', 100), { is: 'deleted' }, undefined],
  ] as const)('%s', (_case, record, standing, action) => expect(decide(record, standing)).toEqual(action));

  test('without a grace nothing is ever archived', () => {
    expect(decide(suspended('deleted', 9999), { is: 'deleted' }, { graceMs: undefined })).toBeUndefined();
  });

  test('a new name that cannot be a host name is said, not followed', () => {
    expect(() => decide(exampleRecord(), { is: 'good', username: 'a.b' })).toThrow(/"a\.b" now, which cannot be a host name/);
  });
});
