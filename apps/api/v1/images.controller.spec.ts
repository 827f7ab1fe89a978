import { expect, test } from '@jest/globals';
import { PlatformError } from '#libs/errors/platform-error.js';
import { shareTestApi } from '../testing/share-test-api.js';
import type { TestApi } from '../testing/test-api.js';

let api: TestApi;
shareTestApi((started) => {
  api = started;
});

const times = { cached: false, uploaded_at: '2026-01-02T03:04:05Z', last_used_at: '0001-01-01T00:00:00Z' };

test('images are listed for everybody in the original form, archives of webspaces are not', async () => {
  api.lxd.images.push({
    fingerprint: 'f'.repeat(64),
    aliases: [{ name: 'hello', description: 'says hello' }],
    properties: { os: 'alpine' },
    size: 4711,
    architecture: 'x86_64',
    type: 'container',
    ...times,
  });
  const archive = { fingerprint: 'a'.repeat(64), aliases: [], properties: { 'webspaces.archive': 'uid' }, size: 1 };
  api.lxd.images.push({ ...archive, architecture: 'x86_64', type: 'container', ...times });
  const answer = await api.call({ path: '/v1/images' });
  expect(answer.status).toBe(200);
  expect(answer.json()).toEqual([
    { aliases: [{ name: 'hello', description: 'says hello' }], fingerprint: 'f'.repeat(64), properties: { os: 'alpine' }, size: 4711 },
  ]);
});

test('an LXD that is away is 503 with Retry-After', async () => {
  api.lxd.failure = new PlatformError('UNAVAILABLE', 'LXD does not answer.');
  const answer = await api.call({ path: '/v1/images' });
  expect(answer.status).toBe(503);
  expect(answer.headers['retry-after']).toBeDefined();
});

test('requests that come together share their reads', async () => {
  api.lxd.failure = undefined;
  api.lxd.reads.length = 0;
  await Promise.all(Array.from({ length: 20 }, () => api.call({ path: '/v1/images' })));
  expect(api.lxd.reads.length).toBeLessThan(10);
});
