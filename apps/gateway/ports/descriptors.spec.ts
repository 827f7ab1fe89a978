import { expect, test } from '@jest/globals';
import { Descriptors, openFilesLimit } from './descriptors.js';

test('are given as long as there are any, and again when they came back', () => {
  const descriptors = new Descriptors(1_024);
  let streams = 0;
  while (descriptors.take(2)) streams += 1;
  expect(streams).toBe(descriptors.mostStreams);
  expect(descriptors.take(1)).toBe(false);
  descriptors.give(2);
  expect([descriptors.take(1), descriptors.take(1), descriptors.take(1)]).toEqual([true, true, false]);
});

test('listeners leave some for connections, also where there are few', () => {
  for (const openFiles of [64, 1_024, 20_000, 1_048_576]) {
    const { mostListeners, mostStreams } = new Descriptors(openFiles);
    expect(mostListeners).toBeGreaterThan(0);
    expect(2 * mostStreams).toBeGreaterThan(mostListeners);
  }
});

test('every forward of the default range may have a listener with 20 000 open files', () => {
  expect(new Descriptors(20_000).mostListeners).toBeGreaterThanOrEqual(16_384);
});

test('the limit is read as the system tells it', () => {
  const limits = (soft: string) =>
    `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${soft}                1048576              files\n`;
  expect([openFilesLimit(limits('1024')), openFilesLimit(limits('unlimited'))]).toEqual([1_024, Number.POSITIVE_INFINITY]);
  expect(openFilesLimit()).toBeGreaterThan(0);
});
