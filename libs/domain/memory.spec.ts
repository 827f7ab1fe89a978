import { describe, expect, test } from '@jest/globals';
import { type Candidate, leastUsed } from './memory.js';

const one = (name: string, usedAt: number, more: Partial<Candidate> = {}): Candidate => ({
  name,
  usedAt,
  attended: false,
  spared: false,
  ...more,
});

describe('79: which webspace is stopped when memory is short', () => {
  test.each<[string, Candidate[], string | undefined]>([
    ['the one that was not used for the longest time', [one('a', 30), one('b', 10), one('c', 20)], 'b'],
    ['never one that is spared', [one('a', 30), one('b', 10, { spared: true })], 'a'],
    ['one that somebody is in only when there is no other', [one('a', 30), one('b', 10, { attended: true })], 'a'],
    [
      'of those that somebody is in, again the one that was not used for the longest time',
      [one('a', 30, { attended: true }), one('b', 10, { attended: true })],
      'b',
    ],
    ['the first by name when they are equal', [one('b', 10), one('a', 10)], 'a'],
    ['none when all are spared', [one('a', 1, { spared: true })], undefined],
    ['none when there is none', [], undefined],
  ])('%s', (_what, candidates, name) => {
    expect(leastUsed(candidates)?.name).toBe(name);
  });
});
