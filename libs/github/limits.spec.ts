import { describe, expect, test } from '@jest/globals';
import { startGithubDouble } from '#libs/testing/github-double/index.js';
import { createGithub } from './create-github.js';
import { RateLimits } from './limits.js';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const RESET = String(NOW / 1000 + 900);

function errorOf(limits: RateLimits, answer: { status: number; headers?: Record<string, string>; says?: string }): unknown {
  try {
    limits.note('me', 'list releases', { headers: {}, says: '', ...answer });
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('an answer is a limit', () => {
  test.each([
    ['a 429 with retry-after in seconds', { status: 429, headers: { 'retry-after': '7' } }, 7_000],
    ['a 403 with retry-after', { status: 403, headers: { 'retry-after': '30' } }, 30_000],
    ['retry-after as a date', { status: 429, headers: { 'retry-after': 'Thu, 01 Jan 2026 00:02:00 GMT' } }, 120_000],
    [
      'retry-after before a reset',
      { status: 403, headers: { 'retry-after': '5', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': RESET } },
      5_000,
    ],
    ['nothing remaining: until the reset', { status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': RESET } }, 900_000],
    [
      "the reset by GitHub's clock, which is ten minutes ahead",
      { status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': RESET, date: 'Thu, 01 Jan 2026 00:10:00 GMT' } },
      300_000,
    ],
    ['a secondary limit that says no time', { status: 403, says: 'You have exceeded a secondary rate limit.' }, 60_000],
    ['a 429 that says nothing', { status: 429 }, 60_000],
    ['a reset in the past', { status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' } }, 1_000],
  ])('%s', (_name, answer, retryAfterMs) => {
    expect(errorOf(new RateLimits(() => NOW), answer)).toMatchObject({ code: 'RATE_LIMITED', details: { retryAfterMs } });
  });

  test.each([
    [403, 'Resource not accessible by integration'],
    [401, 'Bad credentials'],
    [500, ''],
    [200, ''],
  ])('%i %s is none', (status, says) => {
    expect(errorOf(new RateLimits(() => NOW), { status, says })).toBeUndefined();
  });

  test('and each further one without a time doubles the pause, up to an hour, until an answer comes', () => {
    let now = NOW;
    const limits = new RateLimits(() => now);
    const pauses = Array.from({ length: 8 }, () => {
      now += 4_000_000;
      return (errorOf(limits, { status: 429 }) as { details: { retryAfterMs: number } }).details.retryAfterMs / 1000;
    });
    expect(pauses).toEqual([60, 120, 240, 480, 960, 1920, 3600, 3600]);
    errorOf(limits, { status: 200 });
    expect(errorOf(limits, { status: 429 })).toMatchObject({ details: { retryAfterMs: 60_000 } });
  });

  test('and others are not held up by it', () => {
    const limits = new RateLimits(() => NOW);
    errorOf(limits, { status: 429 });
    expect(() => limits.check('me', 'list')).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }));
    expect(() => limits.check('other', 'list')).not.toThrow();
  });
});

describe('a client of a GitHub that limits', () => {
  const images = { owner: 'society', name: 'images' };

  test('by its budget: says when to come again, at once, and does not ask before', async () => {
    const double = await startGithubDouble();
    await double.publish('society/images', { tag: 'a/v1.0.0' });
    let now = Date.now();
    const github = createGithub(double.config(), { now: () => now });
    double.budget.exhaust(600_000);
    const begun = Date.now();
    const failure = await github.listReleases(images).catch((error: unknown) => error);
    // GitHub asks for ten minutes: nobody slept.
    expect(Date.now() - begun).toBeLessThan(60_000);
    expect(failure).toMatchObject({ code: 'RATE_LIMITED' });
    const { retryAfterMs } = (failure as { details: { retryAfterMs: number } }).details;
    expect(retryAfterMs).toBeGreaterThan(590_000);
    expect(retryAfterMs).toBeLessThanOrEqual(602_000);
    await expect(github.listReleases(images)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    expect(double.counts.api).toBe(1);
    double.budget.refill();
    now += retryAfterMs + 1;
    expect((await github.listReleases(images)).listing.pages).toHaveLength(1);
    await github.close();
    await double.close();
  });

  test.each([
    [403, 11, 11_000],
    [429, 12, 12_000],
    [403, undefined, 60_000],
  ] as const)('by a secondary limit: %i with retry-after %p', async (status, retryAfterSeconds, retryAfterMs) => {
    const double = await startGithubDouble();
    await double.publish('society/images', { tag: 'a/v1.0.0' });
    const github = createGithub(double.config());
    double.faults.secondaryLimit({ status, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) });
    await expect(github.listReleases(images)).rejects.toMatchObject({ code: 'RATE_LIMITED', details: { retryAfterMs } });
    expect(double.counts.api).toBe(1);
    await github.close();
    await double.close();
  });
});
