import { describe, expect, test } from '@jest/globals';
import { desired, observed, plan } from '#libs/testing/scale-scenes.js';
import { differences } from './difference.js';
import type { ObservedScale } from './observed.js';
import { planScale } from './plan.js';

describe('what has become different since a plan was approved', () => {
  const shrink = (of: ObservedScale) => plan(of, desired(2, { volumes: 'delete' }));
  const since = (before: ObservedScale, now: ObservedScale) =>
    differences(shrink(before), planScale(now, desired(2, { volumes: 'delete' })));

  test('is said when there are other members, steps or warnings', () => {
    expect(since(observed(3), observed(4))).toEqual([
      'There are 4 members, not 3.',
      expect.stringMatching(/^There are \d+ steps, not \d+\.$/),
    ]);
    expect(since(observed(3), observed(3, { claims: [] }))).toEqual([
      'No longer so: volumes-deleted.',
      expect.stringMatching(/^There are \d+ steps, not \d+\.$/),
    ]);
  });

  test('is never nothing: a step that does another thing is named', () => {
    const now = observed(3, { claims: [{ name: 'other-lxd-2', member: 'lxd-2' }] });
    expect(shrink(now).hash).not.toBe(shrink(observed(3)).hash);
    expect(since(observed(3), now)).toEqual([expect.stringMatching(/^Step \d+-delete-claims is another one: .*other-lxd-2/)]);
  });
});
