import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestApi, type TestApi } from '../testing/test-api.js';

const preflight = (api: TestApi, origin: string, path = '/v1/webspace/self') =>
  api.call({
    method: 'OPTIONS',
    path,
    headers: { origin, 'access-control-request-method': 'DELETE', 'access-control-request-headers': 'authorization,x-any' },
  });

describe('pages of other origins (row 35)', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi({ allowedOrigins: ['https://good.test', 'http://localhost:5173'] });
  });
  afterAll(() => api.app.close());

  test.each(['https://good.test', 'http://localhost:5173'])('%s, which is allowed, may call with any header', async (origin) => {
    const answer = await preflight(api, origin);
    expect(answer.status).toBe(204);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': 'authorization,x-any',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
    });
    expect(String(answer.headers['vary'])).toMatch(/origin/i);
  });

  test.each(['https://evil.test', 'http://good.test', 'https://good.test.evil.test', 'https://good.test:8443', 'null'])(
    '%s may not: its preflight is refused',
    async (origin) => {
      const answer = await preflight(api, origin);
      expect(answer.status).toBe(403);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(answer.json()).toMatchObject({ code: 'FORBIDDEN', message: expect.stringContaining('cors.allowedOrigins') });
    },
  );

  test('a preflight of a path that does not exist tells a stranger nothing', async () => {
    expect((await preflight(api, 'https://evil.test', '/v1/nothing')).status).toBe(403);
  });

  test('answers may be read by an allowed page, with the headers it needs', async () => {
    const headersFor = async (origin: string) => (await api.call({ path: '/v1/images', headers: { origin } })).headers;
    expect(await headersFor('https://good.test')).toMatchObject({
      'access-control-allow-origin': 'https://good.test',
      'access-control-expose-headers': 'X-Request-Id, X-Operation-Id, Retry-After, ETag',
    });
    expect((await headersFor('https://evil.test'))['access-control-allow-origin']).toBeUndefined();
  });

  test('problems may be read, too', async () => {
    const answer = await api.call({ path: '/v1/webspace/self', headers: { origin: 'https://good.test' } });
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([401, 'https://good.test']);
  });

  test('OPTIONS that is no preflight is 404', async () => {
    expect((await api.call({ method: 'OPTIONS', path: '/v1/images' })).status).toBe(405);
  });
});

describe('other settings of origins', () => {
  let api: TestApi;
  afterEach(() => api.app.close());

  test('by default no page of another origin may call', async () => {
    api = await startTestApi();
    expect((await preflight(api, 'https://good.test')).status).toBe(403);
  });

  test('* lets any page call, without cookies', async () => {
    api = await startTestApi({ allowedOrigins: ['*'] });
    const answer = await preflight(api, 'https://anything.test');
    expect(answer.status).toBe(204);
    expect(answer.headers['access-control-allow-origin']).toBe('*');
    expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
  });
});

test('every answer has security headers, problems and Swagger UI included', async () => {
  const api = await startTestApi();
  for (const path of ['/v1/images', '/v1/webspace/self', '/nothing', '/swagger', '/health/live']) {
    const { headers } = await api.call({ path });
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'strict-transport-security': 'max-age=31536000',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
    });
    expect(headers['x-powered-by']).toBeUndefined();
  }
  await api.app.close();
});
