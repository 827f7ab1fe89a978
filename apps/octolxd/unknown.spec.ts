import { expect, test } from '@jest/globals';
import { Unknown } from './unknown.js';

let now = 0;
const guard = () => new Unknown({ perMinute: 3, entries: 2, believedMs: 1_000, now: () => now });

test('a few repositories a minute are asked for, then none until there is budget again', () => {
  const unknown = guard();
  for (const key of ['o/1', 'o/2', 'o/3']) unknown.admit(key);
  expect(() => unknown.admit('o/4')).toThrow(
    expect.objectContaining({ code: 'RATE_LIMITED', details: expect.objectContaining({ retryAfterMs: 20_000 }) }),
  );
  now += 20_000;
  unknown.admit('o/4');
  expect(() => unknown.admit('o/5')).toThrow(/Try again later/);
});

test('what GitHub does not have is believed for a while, and only so many of them', () => {
  const unknown = guard();
  for (const key of ['o/1', 'o/2', 'o/3']) unknown.remember(key);
  expect(unknown.remembered).toBe(2);
  expect(() => unknown.admit('o/3')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  unknown.admit('o/1');
  now += 1_001;
  unknown.admit('o/3');
});
