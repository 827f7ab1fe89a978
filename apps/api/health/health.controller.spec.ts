import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { PlatformError } from '#libs/errors/platform-error.js';
import { startTestApi, type TestApi } from '../testing/test-api.js';

let api: TestApi;
beforeEach(async () => {
  api = await startTestApi();
});
afterEach(() => api.app.close());

const away = new PlatformError('UNAVAILABLE', 'It does not answer.');

test('is 204 when all is well, as in the original', async () => {
  const answer = await api.call({ path: '/health' });
  expect([answer.status, answer.text]).toEqual([204, '']);
  expect((await api.call({ path: '/health/ready' })).json()).toMatchObject({ status: 'ready' });
});

test('is 503 with the reason when LXD is away', async () => {
  api.lxd.failure = away;
  expect((await api.call({ path: '/health' })).json()).toMatchObject({ status: 503, detail: 'Not ready. lxd: It does not answer.' });
  const ready = await api.call({ path: '/health/ready' });
  expect(ready.status).toBe(503);
  expect(ready.json()).toMatchObject({
    status: 'not ready',
    dependencies: { lxd: { ok: false, reason: 'It does not answer.' }, identity: { ok: true } },
  });
});

test('is 503 when the identity service is away', async () => {
  api.identityFailure = away;
  expect((await api.call({ path: '/health' })).status).toBe(503);
});

test('stays ready without Temporal, because reads work, and says that it is degraded', async () => {
  api.operations.failure = away;
  expect((await api.call({ path: '/health' })).status).toBe(204);
  expect((await api.call({ path: '/health/ready' })).json()).toMatchObject({
    status: 'degraded',
    dependencies: { temporal: { ok: false, optional: true } },
  });
});

test('is alive whatever is away', async () => {
  api.lxd.failure = away;
  api.identityFailure = away;
  expect((await api.call({ path: '/health/live' })).status).toBe(200);
});

test('asks its dependencies once a second at most', async () => {
  for (let round = 0; round < 10; round++) await api.call({ path: '/health' });
  expect(api.lxd.reads.filter((what) => what === 'server').length).toBe(1);
});
