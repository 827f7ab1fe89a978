import { describe, expect, test } from '@jest/globals';
import { parseRepository } from './repository.js';

describe('a repository', () => {
  test.each([
    ['society', 'images'],
    ['S', '_'],
    ['a-b-c', 'my.images-2_x'],
    ['a'.repeat(39), 'b'.repeat(100)],
    ['0', '...'],
    ['a', '.github'],
    ['a', 'git'],
  ])('%s/%s is one', (owner, name) => {
    expect(parseRepository(owner, name)).toEqual({ owner, name });
  });

  test.each([
    ...['', '-a', 'a-', 'a--b', 'a.b', 'a_b', 'a/b', '..', 'a'.repeat(40), `${'a-'.repeat(20)}a`, 'ä', 'a\n', 'a b', 'a%2Fb', 'a?b'],
  ])('the owner %j is none', (owner) => {
    expect(() => parseRepository(owner, 'images')).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', details: { field: 'owner' } }));
  });

  test.each(['', '.', '..', 'a.git', 'a.GIT', '.git', 'a/b', 'b'.repeat(101), 'a b', 'a\n', 'a%2F', 'a#', 'ä', 'a\\b'])(
    'the name %j is none',
    (name) => {
      expect(() => parseRepository('society', name)).toThrow(
        expect.objectContaining({ code: 'INVALID_INPUT', details: { field: 'name' } }),
      );
    },
  );
});
