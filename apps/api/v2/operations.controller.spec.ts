import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { openEvents } from '../testing/event-stream.js';
import { detailOf } from '../testing/operations-fake.js';
import { startTestApi, type TestApi } from '../testing/test-api.js';

const CREATE = 'create:ws-u12:0190aaaa-0000-7000-8000-000000000001';
const BOOT = 'boot:ws-u12:0190aaaa-0000-7000-8000-000000000002';
const alice = { owner: '12', requestedBy: { subject: '12', username: 'alice' } };

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ allowedOrigins: ['http://dashboard.test'] });
  await api.app.listen(0, '127.0.0.1');
});
afterAll(() => api.app.close());
beforeEach(() => {
  api.operations.details.set(CREATE, detailOf(CREATE, { kind: 'create', name: 'ws-u12', ...alice }));
  api.operations.details.set(BOOT, detailOf(BOOT, { kind: 'boot', name: 'ws-u12', ...alice }));
});
afterEach(() => {
  api.operations.details.clear();
  api.operations.filters.length = 0;
  api.operations.failure = undefined;
});

describe('listing operations', () => {
  test('limits a member to the own webspace, by owner or by name, and an admin not at all', async () => {
    await api.call({ path: '/v2/operations?kind=create&status=failed&limit=7', token: 'alice' });
    await api.call({ path: '/v2/operations?webspace=ws-u13', token: 'root' });
    expect(api.operations.filters).toEqual([
      { limit: 7, kind: 'create', status: 'failed', visibleTo: { owner: '12', webspace: 'ws-u12' } },
      { limit: 50, webspace: 'ws-u13' },
    ]);
  });

  test.each(['kind=explode', 'status=odd', "webspace=x'%20OR%201", 'limit=-1'])('refuses %s with 400', async (query) => {
    expect((await api.call({ path: `/v2/operations?${query}`, token: 'root' })).status).toBe(400);
    expect(api.operations.filters).toHaveLength(0);
  });

  test('is 503 when Temporal is away', async () => {
    api.operations.failure = new PlatformError('UNAVAILABLE', 'Temporal does not answer.');
    expect((await api.call({ path: '/v2/operations', token: 'alice' })).status).toBe(503);
  });
});

describe('one operation', () => {
  test('is shown to the owner and to admins, not to others', async () => {
    expect((await api.call({ path: `/v2/operations/${CREATE}`, token: 'alice' })).json()).toMatchObject({
      id: CREATE,
      waits: [],
      steps: [],
    });
    expect((await api.call({ path: `/v2/operations/${CREATE}`, token: 'root' })).status).toBe(200);
    expect((await api.call({ path: `/v2/operations/${CREATE}`, token: 'bob' })).status).toBe(403);
    expect((await api.call({ path: `/v2/operations/${CREATE}` })).status).toBe(401);
  });

  test('is 404 when unknown and 400 when malformed', async () => {
    expect((await api.call({ path: '/v2/operations/create:ws-u12:no', token: 'root' })).status).toBe(404);
    expect((await api.call({ path: '/v2/operations/nonsense', token: 'root' })).status).toBe(400);
  });

  test('is cancelled by its owner, once it runs', async () => {
    const cancel = (id: string, token: string) => api.call({ method: 'POST', path: `/v2/operations/${id}/cancel`, token });
    expect((await cancel(CREATE, 'bob')).status).toBe(403);
    expect((await cancel(CREATE, 'alice')).status).toBe(202);
    expect(api.operations.cancelled).toEqual([CREATE]);
    api.operations.details.set(CREATE, { ...detailOf(CREATE, { kind: 'create', name: 'ws-u12', ...alice }), status: 'completed' });
    expect((await cancel(CREATE, 'alice')).json()).toMatchObject({ status: 409, operation: CREATE });
  });

  test('that others share, a boot, is cancelled by admins only', async () => {
    const cancel = (token: string) => api.call({ method: 'POST', path: `/v2/operations/${BOOT}/cancel`, token });
    expect((await cancel('alice')).status).toBe(403);
    expect((await cancel('root')).status).toBe(202);
  });
});

const open = (path: string, headers: Record<string, string>) => openEvents(api, path, headers);

describe('the events of an operation', () => {
  const path = `/v2/operations/${CREATE}/events`;
  const headers = { authorization: 'Bearer alice', origin: 'http://dashboard.test' };

  test('begin with the present state, tell each change, and end with the operation', async () => {
    const stream = await open(path, headers);
    expect(stream.headers).toMatchObject({ 'content-type': 'text/event-stream', 'access-control-allow-origin': 'http://dashboard.test' });
    await stream.until(/"status":"running"/);
    api.operations.details.set(CREATE, { ...detailOf(CREATE, { kind: 'create', name: 'ws-u12', ...alice }), status: 'completed' });
    const text = await stream.until(/"status":"completed"/);
    expect(text.match(/event: operation/g)).toHaveLength(2);
    expect(text).toContain('id: end');
    await stream.ended;
  });

  test('stop being asked for when the last client has gone', async () => {
    const stream = await open(path, headers);
    await stream.until(/running/);
    stream.hangUp();
    const streams = async () => /webspaces_api_event_streams (\d+)/.exec((await api.call({ path: '/metrics' })).text)?.[1];
    await waitFor('no stream to be open', async () => (await streams()) === '0', { timeoutMs: 3_000, intervalMs: 20 });
  });

  test('are refused beyond the limit, to strangers, and for unknown operations', async () => {
    const streams = [await open(path, headers), await open(path, headers)];
    expect((await open(path, headers)).status).toBe(503);
    for (const stream of streams) stream.hangUp();
    expect((await open(path, { authorization: 'Bearer bob' })).status).toBe(403);
    expect((await open('/v2/operations/create:ws-u12:no/events', headers)).status).toBe(404);
  });

  test('answer 204 to a client that comes back after the end', async () => {
    expect((await open(path, { ...headers, 'last-event-id': 'end' })).status).toBe(204);
  });
});
