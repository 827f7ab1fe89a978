import { describe, expect, test } from '@jest/globals';
import type { UpgradeStepView, WriteLatency } from '../../libs/contracts/upgrades.js';
import { reportOf } from './report.js';
import type { Away, UpgradeRecord } from './upgrade-record.js';

const at = (minute: number) => `2026-03-01T10:${String(minute).padStart(2, '0')}:00.000Z`;
const settled = (minute: number, ...writes: readonly WriteLatency[]) => ({ endedAt: at(minute), writes }) as unknown as UpgradeStepView;

function written(steps: readonly UpgradeStepView[], away: Readonly<Record<string, readonly Away[]>>) {
  const record = { steps, away: new Map(Object.entries(away)), phase: 'finished', view: () => ({ steps }) };
  const { members } = reportOf(record as unknown as UpgradeRecord);
  return members.map(({ member, write }) => [member, write]);
}

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
