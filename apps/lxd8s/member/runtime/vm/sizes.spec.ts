import { expect, test } from '@jest/globals';
import { bytesOf, cpusOf, roomOf } from './sizes.js';

const POD = { of: "the pod's limit of memory", bytes: 1000 * 2 ** 20 };

test.each([
  ['512MiB', 512],
  ['2GiB', 2048],
  ['1TiB', 2 ** 20],
  ['75%', 750],
  ['1%', 10],
  ['100%', 1000],
])('%s of a pod with 1000 MiB is %i MiB', (text, mib) => {
  expect(bytesOf(text, POD)).toBe(mib * 2 ** 20);
});

test('a share is in whole MiB, and never above it', () => {
  expect(bytesOf('33%', { of: 'it', bytes: 10 * 2 ** 20 + 1 })).toBe(3 * 2 ** 20);
});

test('a share of a limit that there is not is refused, by what it would be a share of', () => {
  expect(() => bytesOf('75%', { ...POD, bytes: undefined })).toThrow(/75% is a share of the pod's limit of memory, and there is none/);
  expect(() => cpusOf('100%', undefined)).toThrow(/100% is a share of the pod's limit of processors/);
});

test.each([
  [3, undefined, 3],
  ['2', undefined, 2],
  ['100%', 2, 2],
  ['100%', 0.5, 1],
  ['50%', 4, 2],
  ['50%', 3, 2],
  ['70%', 10, 7],
])('%s processors of a limit of %s are %i', (stated, limit, cpus) => {
  expect(cpusOf(stated, limit)).toBe(cpus);
});

test('a volume has room', async () => {
  expect((await roomOf('/')).bytes).toBeGreaterThan(2 ** 20);
});
