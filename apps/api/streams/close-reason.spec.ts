import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { closeReason } from './close-reason.js';

test('what fits stays as it is', () => {
  expect(closeReason('7')).toBe('7');
  expect(closeReason('x'.repeat(123))).toBe('x'.repeat(123));
});

test('what does not fit ends with a mark, and between characters', () => {
  expect(closeReason('x'.repeat(124))).toBe(`${'x'.repeat(120)}…`);
  expect(closeReason(`${'x'.repeat(119)}ü${'y'.repeat(9)}`)).toBe(`${'x'.repeat(119)}…`);
  expect(closeReason('🚀'.repeat(40))).toBe(`${'🚀'.repeat(30)}…`);
});

test('any text gives at most 123 bytes of valid UTF-8, a beginning of it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const reason = closeReason(text);
      const bytes = Buffer.from(reason);
      expect(bytes.length).toBeLessThanOrEqual(123);
      expect(new TextDecoder('utf-8', { fatal: true }).decode(bytes)).toBe(reason);
      expect(text.startsWith(reason.replace(/…$/u, ''))).toBe(true);
    }),
  );
});
