import { type AddressInfo, connect } from 'node:net';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { shareTestApi } from '../testing/share-test-api.js';
import type { TestApi } from '../testing/test-api.js';

let api: TestApi;
shareTestApi((started) => {
  api = started;
});

describe('paths and methods', () => {
  test.each(['/v1/nothing', '/', '/v2', '/v1/webspace'])('the unknown path %s is 404 in the original words', async (path) => {
    const answer = await api.call({ path, token: 'alice' });
    expect(answer.status).toBe(404);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json()).toMatchObject({ message: 'API endpoint not found', code: 'NOT_FOUND' });
  });

  test.each([
    ['PUT', '/v1/webspace/self', 'DELETE, GET, HEAD, POST'],
    ['DELETE', '/v1/images', 'GET, HEAD'],
    ['POST', '/v2/operations/create:ws-u1:x/events', 'GET, HEAD'],
  ])('%s %s is 405 with the methods that there are', async (method, path, allow) => {
    const answer = await api.call({ method, path, token: 'alice' });
    expect(answer.status).toBe(405);
    expect(answer.headers['allow']).toBe(allow);
    expect(answer.json()).toMatchObject({ message: 'method not allowed on API endpoint' });
  });
});

describe('request ids and logs', () => {
  test('a request id is taken over and given back, in headers, problems and the log', async () => {
    const answer = await api.call({
      path: '/v1/webspace/self?token=query-secret',
      headers: { 'x-request-id': 'req-7', authorization: 'Bearer header.secret.1' },
    });
    expect(answer.headers['x-request-id']).toBe('req-7');
    expect(answer.json()).toMatchObject({ requestId: 'req-7' });
    const line = api.logLines.find((text) => text.includes('req-7') && text.includes('answered'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({ method: 'GET', path: '/v1/webspace/self', status: 401, ms: expect.any(Number) });
    expect(api.logLines.join('')).not.toMatch(/query-secret|header\.secret/);
  });

  test('a malformed request id is replaced', async () => {
    const answer = await api.call({ path: '/health/live', headers: { 'x-request-id': 'a b\tc' } });
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('what nobody foresaw is a 500 that tells nothing, and stands in the log', async () => {
    api.lxd.failure = new Error('secret path /var/x') as never;
    const answer = await api.call({ path: '/v1/images' });
    api.lxd.failure = undefined;
    expect(answer.json()).toMatchObject({ status: 500, code: 'INTERNAL', message: 'internal error' });
    expect(answer.text).not.toContain('secret path');
    expect(api.logLines.some((line) => line.includes('secret path') && line.includes('nobody foresaw'))).toBe(true);
  });
});

describe('what is not a request', () => {
  test('a path that cannot be decoded is 400 as a problem', async () => {
    const answer = await api.call({ path: '/v1/webspace/%zz', token: 'alice' });
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json()).toMatchObject({ code: 'INVALID_INPUT', message: expect.any(String) });
  });

  beforeAll(() => api.app.listen(0, '127.0.0.1'));

  test.each([
    ['bytes that are no HTTP', 'nonsense\r\n\r\n', 400],
    ['a head that is too large', `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('%s get a problem, and the connection ends', async (_case, bytes, status) => {
    const { port } = api.app.getHttpServer().address() as AddressInfo;
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      let received = '';
      socket.on('data', (data) => {
        received += data.toString();
      });
      socket.on('end', () => resolve(received));
      socket.on('error', reject);
    });
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(text).toContain('application/problem+json');
    expect(JSON.parse(text.split('\r\n\r\n')[1] as string)).toMatchObject({ status, message: expect.any(String) });
  });
});

describe('metrics', () => {
  test('count requests by route, never by path, and reads from LXD', async () => {
    await api.call({ path: '/v1/webspace/self', token: 'alice' });
    await api.call({ path: '/v1/webspace/alice', token: 'alice' });
    const { text, headers } = await api.call({ path: '/metrics' });
    expect(headers['content-type']).toMatch(/^text\/plain/);
    expect(text).toMatch(/webspaces_api_request_duration_seconds_count\{method="GET",route="\/v1\/webspace\/:user",status="404"\} 2/);
    expect(text).toMatch(/webspaces_api_lxd_reads_total\{what="instance",how="loaded"\} \d+/);
    expect(text).not.toContain('/v1/webspace/alice');
  });
});
