import { expect, test } from '@jest/globals';
import { lookAgain } from './look-again.js';

const call = { signal: new AbortController().signal };

test.each([
  ['the first that is enough', 2, [0, 1, 2]],
  ['the fifth, whatever it shows', 99, [0, 1, 2, 3, 4]],
])('it looks until %s', async (_until, enough, looks) => {
  const seen: number[] = [];
  const look = async () => seen[seen.push(seen.length) - 1];
  expect(await lookAgain(call, look, (number) => number === enough, 1)).toBe(looks.at(-1));
  expect(seen).toEqual(looks);
});

test('it stops when it is called off', async () => {
  const off = new AbortController();
  const look = async () => off.abort();
  await expect(lookAgain({ signal: off.signal }, look, () => false)).rejects.toMatchObject({ name: 'AbortError' });
});
