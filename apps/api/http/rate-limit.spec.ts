import { afterEach, describe, expect, test } from '@jest/globals';
import { startTestApi, type TestApi } from '../testing/test-api.js';

let api: TestApi;
afterEach(() => api.app.close());

const statuses = async (count: number, request: Parameters<TestApi['call']>[0]) => {
  const seen: number[] = [];
  for (let i = 0; i < count; i++) seen.push((await api.call(request)).status);
  return seen;
};
const from = (address: string) => ({ 'x-forwarded-for': address });

describe('rate limits', () => {
  test('the token that asks too often gets 429 with Retry-After, another token does not', async () => {
    api = await startTestApi({ rate: { perToken: 3 } });
    const alice = { path: '/v2/operations', token: 'alice' };
    expect(await statuses(3, alice)).toEqual([200, 200, 200]);
    const answer = await api.call(alice);
    expect(answer.status).toBe(429);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(50);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json()).toMatchObject({ code: 'RATE_LIMITED', status: 429, message: expect.stringContaining('this token: at most 3') });
    expect((await api.call({ path: '/v2/operations', token: 'bob' })).status).toBe(200);
  });

  test('begins anew when its time is over', async () => {
    api = await startTestApi({ rate: { perToken: 1, windowSeconds: 0.05 } });
    const alice = { path: '/v2/operations', token: 'alice' };
    let status = 200;
    while (status === 200) ({ status } = await api.call(alice));
    const deadline = Date.now() + 5_000;
    while (status === 429 && Date.now() < deadline) ({ status } = await api.call(alice));
    expect(status).toBe(200);
  });

  test('changes have a limit of their own, reads go on', async () => {
    api = await startTestApi({ rate: { changesPerToken: 2 } });
    expect(await statuses(3, { method: 'DELETE', path: '/v1/webspace/self', token: 'alice' })).toEqual([204, 204, 429]);
    expect((await api.call({ path: '/v2/operations', token: 'alice' })).status).toBe(200);
  });

  test('an address is counted whatever its tokens, good or guessed', async () => {
    api = await startTestApi({ rate: { perAddress: 4 } });
    expect(await statuses(2, { path: '/v2/operations', token: 'alice' })).toEqual([200, 200]);
    expect(await statuses(1, { path: '/v2/operations', token: 'guess1' })).toEqual([401]);
    expect(await statuses(2, { path: '/v1/images' })).toEqual([200, 429]);
  });

  test('health and metrics are never refused', async () => {
    api = await startTestApi({ rate: { perAddress: 1 } });
    await api.call({ path: '/v1/images' });
    expect(await statuses(3, { path: '/health' })).toEqual([204, 204, 204]);
    expect(await statuses(2, { path: '/metrics' })).toEqual([200, 200]);
    expect((await api.call({ path: '/healthy' })).status).toBe(429);
  });

  test('X-Forwarded-For of a stranger is not believed', async () => {
    api = await startTestApi({ rate: { perAddress: 1 } });
    expect((await api.call({ path: '/v1/images', headers: from('203.0.113.1') })).status).toBe(200);
    expect((await api.call({ path: '/v1/images', headers: from('203.0.113.2') })).status).toBe(429);
  });

  test('behind a trusted proxy each client is its own, and cannot pretend to be another', async () => {
    api = await startTestApi({ rate: { perAddress: 1 }, trustedProxies: ['127.0.0.0/8'] });
    const ask = async (forwarded: string) => (await api.call({ path: '/v1/images', headers: from(forwarded) })).status;
    expect(await ask('203.0.113.1')).toBe(200);
    expect(await ask('203.0.113.2')).toBe(200);
    expect(await ask('203.0.113.9, 203.0.113.1')).toBe(429);
  });

  test('addresses of one IPv6 network of 64 bits are one client', async () => {
    api = await startTestApi({ rate: { perAddress: 1 }, trustedProxies: ['127.0.0.1'] });
    const ask = async (forwarded: string) => (await api.call({ path: '/v1/images', headers: from(forwarded) })).status;
    expect(await ask('2001:db8:1:1::1')).toBe(200);
    expect(await ask('2001:db8:1:1::2')).toBe(429);
    expect(await ask('2001:db8:1:2::1')).toBe(200);
  });
});
