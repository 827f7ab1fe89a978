import { describe, expect, test } from '@jest/globals';
import { untilMark } from './end-mark.js';

const MARK = '\0word';

function given(...pieces: readonly string[]): { text: string; ended: number } {
  let text = '';
  let ended = 0;
  const take = untilMark(
    MARK,
    (bytes) => {
      text += bytes.toString();
    },
    () => {
      ended += 1;
    },
  );
  for (const piece of pieces) take(Buffer.from(piece));
  return { text, ended };
}

describe('what a machine says at its console', () => {
  test.each([
    ['is given on', ['one', 'two'], 'onetwo', 0],
    ['ends at the mark', ['bye\r\n\0word'], 'bye\r\n', 1],
    ['ends at a mark in pieces', ['bye\0', 'wo', 'rd and more', '\0word'], 'bye', 1],
    ['is given on when it only looked like one', ['a\0wo', 'b\0'], 'a\0wob', 0],
    ['is given on when one begins within another', ['\0w\0wo', 'rd'], '\0w', 1],
  ])('%s', (_, pieces, text, ended) => {
    expect(given(...pieces)).toEqual({ text, ended });
  });
});
