import { expect, test } from '@jest/globals';
import { eventually } from './eventually.js';

test('a check that throws is asked again', async () => {
  let asked = 0;
  const check = () => {
    asked += 1;
    if (asked === 1) throw new Error('not yet');
    return asked > 2 ? asked : undefined;
  };
  expect(await eventually(check)).toBe(3);
});

test('after the deadline it says what was waited for, and what went wrong at last', async () => {
  const fails = () => Promise.reject(new Error('away'));
  await expect(eventually(fails, { timeoutMs: 20, what: 'the answer' })).rejects.toThrow('the answer: not within 0.02 s: away');
  await expect(eventually(() => undefined, { timeoutMs: 20 })).rejects.toThrow(/^not within 0.02 s$/);
});
