import { describe, expect, test } from '@jest/globals';
import { isUnchanged, rangeOf, takesGzip } from './conditions.js';

const TAG = '"abc"';

describe('conditional requests', () => {
  const content = { etags: [TAG, '"abc-gzip"'], modifiedMs: Date.parse('2026-01-02T00:00:00Z') };
  test.each([
    ['the tag', { 'if-none-match': TAG }, true],
    ['the tag of the other form, weakly, in a list', { 'if-none-match': '"x", W/"abc-gzip"' }, true],
    ['any tag', { 'if-none-match': '*' }, true],
    ['another tag, although the time fits', { 'if-none-match': '"x"', 'if-modified-since': 'Fri, 02 Jan 2026 00:00:00 GMT' }, false],
    ['the time', { 'if-modified-since': 'Fri, 02 Jan 2026 00:00:00 GMT' }, true],
    ['an earlier time', { 'if-modified-since': 'Thu, 01 Jan 2026 23:59:59 GMT' }, false],
    ['no time', { 'if-modified-since': 'yesterday' }, false],
    ['nothing', {}, false],
  ])('with %s', (_name, headers, expected) => {
    expect(isUnchanged(headers, content)).toBe(expected);
  });
});

describe('ranges of 100 bytes', () => {
  test.each([
    ['bytes=0-9', { first: 0, last: 9 }],
    ['bytes=90-', { first: 90, last: 99 }],
    ['bytes=90-1000', { first: 90, last: 99 }],
    ['bytes=-10', { first: 90, last: 99 }],
    ['bytes=-1000', { first: 0, last: 99 }],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=9-5', undefined],
    ['bytes=0-1,5-6', undefined],
    ['lines=1-2', undefined],
    ['bytes=-', undefined],
  ])('%s', (range, expected) => {
    expect(rangeOf({ range }, 100, TAG)).toEqual(expected);
  });

  test('count only for the content that If-Range names', () => {
    expect(rangeOf({ range: 'bytes=0-9', 'if-range': TAG }, 100, TAG)).toEqual({ first: 0, last: 9 });
    expect(rangeOf({ range: 'bytes=0-9', 'if-range': '"other"' }, 100, TAG)).toBeUndefined();
  });
});

test.each([
  ['gzip', true],
  ['gzip, deflate, br', true],
  ['br;q=1.0, GZIP;q=0.5', true],
  ['*', true],
  ['gzip;q=0', false],
  ['identity', false],
  ['*;q=0', false],
  [undefined, false],
])('accept-encoding %s', (accepted, expected) => {
  expect(takesGzip(accepted)).toBe(expected);
});
