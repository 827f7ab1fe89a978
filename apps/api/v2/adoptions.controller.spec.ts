import { describe, expect, test } from '@jest/globals';
import { LEGACY_RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { instanceOf } from '../testing/lxd-stub.js';
import { shareTestApi } from '../testing/share-test-api.js';
import type { TestApi } from '../testing/test-api.js';

let api: TestApi;
shareTestApi((started) => {
  api = started;
});

const PLAN = { total: 0, webspaces: [], leftovers: { objects: [], command: 'kubectl delete services' } };
const adopt = (token: string, body: unknown) => api.call({ method: 'POST', path: '/v2/adoptions', token, body });

describe('POST /v2/adoptions', () => {
  test.each([{}, { dryRun: true }, { dryRun: true, after: 'ws-u12' }])('with %j answers 200 with what would change', async (body) => {
    api.operations.outcome = { result: PLAN };
    const answer = await adopt('root', body);
    expect([answer.status, answer.json()]).toEqual([200, PLAN]);
    const input = { dryRun: true, after: 'after' in body ? body.after : '' };
    expect(api.operations.started).toMatchObject([{ kind: 'adoptions', name: 'all', input }]);
  });

  test('with dryRun false begins, and answers 202 with the operation', async () => {
    const answer = await adopt('root', { dryRun: false });
    expect(answer.status).toBe(202);
    expect(answer.json()).toMatchObject({ kind: 'adoptions', webspace: 'all', status: 'running' });
    expect(api.operations.started).toMatchObject([{ input: { dryRun: false, after: '', requestedBy: { username: 'root' } } }]);
  });

  test('is for admins, and takes nothing else', async () => {
    expect((await adopt('alice', {})).status).toBe(403);
    expect((await adopt('root', { dryrun: false })).json()).toMatchObject({ status: 400, field: 'dryrun' });
    expect((await adopt('root', { dryRun: 'no' })).json()).toMatchObject({ status: 400, field: 'dryRun' });
    expect(api.operations.started).toHaveLength(0);
  });
});

describe('a webspace of the original', () => {
  const legacy = (value: unknown) => {
    const instance = instanceOf('ws-u12', undefined, 'running');
    api.lxd.instances.set('ws-u12', { ...instance, config: { [LEGACY_RECORD_KEY]: JSON.stringify(value) } });
  };

  test('is read through v1 as ever', async () => {
    legacy({
      user: 12,
      config: { startupDelay: 5, httpPort: 8080, sniPassthrough: true },
      domains: ['a.example.com'],
      ports: { '49200': 22 },
    });
    const answer = await api.call({ path: '/v1/webspace/self', token: 'alice' });
    expect(answer.json()).toEqual({
      user: 12,
      config: { startupDelay: 5, httpPort: 8080, sniPassthrough: true },
      domains: ['a.example.com'],
      ports: { '49200': 22 },
    });
    expect((await api.call({ path: '/v1/webspace/self/state', token: 'alice' })).json()).toMatchObject({ running: true });
  });

  test('is listed and shown through v2, without a user name nobody wrote down', async () => {
    legacy({ user: 12, config: null, domains: null, ports: null });
    const view = (await api.call({ path: '/v2/webspaces/ws-u12', token: 'alice' })).json();
    expect(view).toMatchObject({ name: 'ws-u12', phase: 'running', owner: { id: '12' }, domains: [] });
    expect(view).not.toHaveProperty('url');
    expect((await api.call({ path: '/v2/webspaces', token: 'root' })).json()).toMatchObject({ webspaces: [{ name: 'ws-u12' }] });
  });

  test('whose record is another account’s cannot be read, and says why', async () => {
    legacy({ user: 13 });
    expect((await api.call({ path: '/v1/webspace/self', token: 'alice' })).status).toBe(502);
    expect((await api.call({ path: '/v2/webspaces/ws-u12', token: 'root' })).json()).toMatchObject({
      phase: 'unknown',
      problem: { code: 'PROTOCOL', message: expect.stringContaining('user: 13 does not fit') },
    });
  });

  test.each([
    ['POST', '/v1/webspace/self/state', 409],
    ['DELETE', '/v1/webspace/self/state', 204],
    ['PUT', '/v1/webspace/self/state', 204],
    ['PATCH', '/v1/webspace/self/state', 204],
    ['DELETE', '/v1/webspace/self', 204],
    ['POST', '/v1/webspace/self', 409],
  ])('takes %s %s as any other: %i', async (method, path, status) => {
    legacy({ user: 12 });
    expect((await api.call({ method, path, token: 'alice', body: method === 'POST' ? { image: 'hello' } : undefined })).status).toBe(
      status,
    );
  });
});
