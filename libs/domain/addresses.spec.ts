import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addressCandidates, addressObjectName } from './addresses.js';

const range = { from: '10.77.0.250', to: '10.77.1.9' };

describe('address candidates', () => {
  test('are every address of the range once, in an order that only the uid decides', () => {
    fc.assert(
      fc.property(fc.uuid(), (uid) => {
        const all = [...addressCandidates(range, uid)];
        expect(new Set(all).size).toBe(16);
        expect(all).toHaveLength(16);
        expect(all).toEqual([...addressCandidates(range, uid)]);
        expect(all.every((address) => /^10\.77\.(0\.25[0-5]|1\.[0-9])$/.test(address))).toBe(true);
      }),
    );
  });

  test('of different uids mostly begin at different places', () => {
    const wide = { from: '10.77.128.0', to: '10.77.255.254' };
    const first = new Set(Array.from({ length: 100 }, (_, i) => addressCandidates(wide, `uid-${i}`).next().value));
    expect(first.size).toBeGreaterThan(95);
  });

  test('name their objects with hyphens', () => expect(addressObjectName('10.77.0.12')).toBe('10-77-0-12'));
});
