import { describe, expect, test } from '@jest/globals';
import { type Sight, seen, type Use } from './use.js';

const now = 1_000_000;
const before: Use = { sentBytes: 50_000, usedAt: 400_000 };
const quiet: Sight = { sentBytes: 50_000, startedAt: 100_000, attended: false };

describe('a webspace counts as used', () => {
  test.each<[string, Use | undefined, Partial<Sight>, number]>([
    ['when it is seen for the first time', undefined, {}, now],
    ['when it sent more than a container does by itself', before, { sentBytes: 54_097 }, now],
    ['not when it sent no more than that', before, { sentBytes: 54_096 }, before.usedAt],
    ['not when it sent nothing', before, {}, before.usedAt],
    ['when somebody has a terminal open', before, { attended: true }, now],
    ['when it was started since', before, { startedAt: 400_001, sentBytes: 60_000 }, now],
    ['when its counter began anew', before, { sentBytes: 10 }, now],
  ])('%s', (_what, known, sight, usedAt) => {
    const wanted = { ...quiet, ...sight };
    expect(seen(known, wanted, { now, quietBytes: 4_096 })).toEqual({ sentBytes: wanted.sentBytes, usedAt });
  });

  test('little by little it never does: each look begins anew', () => {
    let use = before;
    for (let look = 1; look <= 100; look++)
      use = seen(use, { ...quiet, sentBytes: 50_000 + look * 4_000 }, { now: now + look, quietBytes: 4_096 });
    expect(use).toEqual({ sentBytes: 450_000, usedAt: before.usedAt });
  });
});
