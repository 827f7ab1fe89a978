import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { additionTo } from './log-tail.js';

const text = (value: string) => Buffer.from(value);
const lines = (from: number, to: number) => Buffer.from(Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join(''));

test.each([
  ['nothing', 'abc', 'abc', false, ''],
  ['an end', 'abc', 'abcd', false, 'd'],
  ['all of an empty one', '', 'abc', false, 'abc'],
  ['nothing of an emptied one, which is said', 'abc', '', true, ''],
  ['all of one that was emptied and written again', 'abc', 'xyz', true, 'xyz'],
])('tells %s', (_what, before, now, anew, added) => {
  expect(additionTo(text(before), text(now))).toEqual({ anew, data: text(added) });
});

test('readings of a ring that has turned give each line once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 1000 }), fc.integer({ min: 0, max: 300 }), (end, added) => {
      const ring = (to: number) => lines(0, to).subarray(-8_000);
      expect(additionTo(ring(end), ring(end + added)).data.toString()).toBe(lines(end, end + added).toString());
    }),
  );
});
