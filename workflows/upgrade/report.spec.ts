import { describe, expect, test } from '@jest/globals';
import type { UpgradeStepView, WriteLatency } from '../../libs/contracts/upgrades.js';
import type { Absence } from '../cluster/absences.js';
import { reportOf } from './report.js';
import type { UpgradeRecord } from './upgrade-record.js';

const at = (minute: number) => `2026-03-01T10:${String(minute).padStart(2, '0')}:00.000Z`;
const settled = (minute: number, ...writes: readonly WriteLatency[]) => ({ endedAt: at(minute), writes }) as unknown as UpgradeStepView;

function written(steps: readonly UpgradeStepView[], away: Readonly<Record<string, readonly Absence[]>>) {
  const record = { steps, absences: { all: new Map(Object.entries(away)) }, phase: 'finished', view: () => ({ steps }) };
  const { members } = reportOf(record as unknown as UpgradeRecord);
  return members.map(({ member, write }) => [member, write]);
}

function apiAway(away: Readonly<Record<string, readonly Absence[]>>, kind = 'lockstep-parallel') {
  const approved = { kind, cluster: 'lab', outage: { members: [], api: { seconds: 60 } }, before: { build: {} }, target: { build: {} } };
  const record = { steps: [], absences: { all: new Map(Object.entries(away)) }, phase: 'finished', approved, view: () => ({}) };
  return reportOf(record as unknown as UpgradeRecord).api;
}

describe('how long LXD’s API was away', () => {
  const first = { a: { from: at(2), until: at(5) }, b: { from: at(3), until: at(6) } };

  test('is from the first deletion until all serve; a second pass, one by one, is none', () => {
    const away = { a: [first.a, { from: at(10), until: at(11) }], b: [first.b, { from: at(12), until: at(13) }] };
    expect(apiAway(away)).toEqual({ expectedSeconds: 60, seconds: 240 });
  });

  test('counts the way back, too', () => {
    const away = { a: [first.a, { from: at(10), until: at(12) }], b: [first.b, { from: at(10), until: at(13) }] };
    expect(apiAway(away)).toEqual({ expectedSeconds: 60, seconds: 420 });
  });

  test('of one member that others waited for is known; of one that never came back, and in a rolling upgrade, nothing is said', () => {
    expect(apiAway({ a: [first.a] })).toEqual({ expectedSeconds: 60, seconds: 180 });
    expect(apiAway({ a: [first.a], b: [{ from: at(3) }] })).toEqual({ expectedSeconds: 60 });
    expect(apiAway({ a: [first.a] }, 'rolling')).toBeUndefined();
  });
});

describe('what a write to a volume took', () => {
  test('is the last one measured before the member was replaced, and the last of all', () => {
    const steps = [
      settled(1, { member: 'a', milliseconds: 1 }, { member: 'b', milliseconds: 2 }),
      settled(5, { member: 'a', milliseconds: 9 }, { member: 'b', milliseconds: 3 }),
      settled(9, { member: 'a', milliseconds: 4 }, { member: 'b', milliseconds: 5 }),
    ];
    const away = { a: [{ from: at(2), until: at(3) }], b: [{ from: at(6), until: at(7) }] };
    expect(written(steps, away)).toEqual([
      ['a', { beforeMs: 1, afterMs: 4 }],
      ['b', { beforeMs: 3, afterMs: 5 }],
    ]);
  });

  test('has no number where it could not be measured, and is left out where it never was', () => {
    const steps = [settled(1, { member: 'a', milliseconds: 1 }), settled(5, { member: 'a', error: 'no space left' })];
    expect(written(steps, { a: [{ from: at(2) }], b: [{ from: at(2) }] })).toEqual([
      ['a', { beforeMs: 1 }],
      ['b', undefined],
    ]);
  });
});
