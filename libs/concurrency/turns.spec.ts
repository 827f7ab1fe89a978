import { expect, test } from '@jest/globals';
import { Turns } from './turns.js';

test('runs so many at once and no more, in order, and goes on after one that fails', async () => {
  const turns = new Turns(2);
  const began: number[] = [];
  let running = 0;
  let most = 0;
  const ends: (() => void)[] = [];
  const all = [0, 1, 2, 3, 4].map((i) =>
    turns.run(async () => {
      began.push(i);
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running--;
      if (i === 1) throw new Error('one that fails');
      return i;
    }),
  );
  const settled = Promise.allSettled(all);
  while (ends.length > 0 || running > 0 || began.length < 5) {
    ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await settled).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
  expect({ began, most }).toEqual({ began: [0, 1, 2, 3, 4], most: 2 });
});
