import { beforeEach, describe, expect, test } from '@jest/globals';
import { LXD_STATUS } from '#libs/lxd/types.js';
import { instanceOf, recordText } from '../testing/lxd-stub.js';
import { shareTestApi } from '../testing/share-test-api.js';
import type { TestApi } from '../testing/test-api.js';

let api: TestApi;
shareTestApi((started) => {
  api = started;
});
beforeEach(() => {
  const put = (name: string, record: string | undefined, status: keyof typeof LXD_STATUS) =>
    api.lxd.instances.set(name, instanceOf(name, record, status));
  put('ws-u12', recordText({ id: '12', username: 'alice' }), 'running');
  put('ws-u13', recordText({ id: '13', username: 'bob' }, { domains: ['shop.example.org'] }), 'stopped');
  put('ws-u14', '{ broken', 'stopped');
  put('ws-u15', undefined, 'error');
  put('router', undefined, 'running');
});

const names = (body: Record<string, unknown>) => (body['webspaces'] as { name: string }[]).map(({ name }) => name);

describe('listing webspaces', () => {
  test('shows an admin all of them, the unhealthy ones with the reason, and nothing else of LXD', async () => {
    const body = (await api.call({ path: '/v2/webspaces', token: 'root' })).json();
    expect(names(body)).toEqual(['ws-u12', 'ws-u13', 'ws-u14', 'ws-u15']);
    expect(body['webspaces']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          name: 'ws-u12',
          phase: 'running',
          url: 'https://alice.ws.test:8443/',
          owner: { id: '12', username: 'alice' },
        }),
        { name: 'ws-u14', phase: 'unknown', problem: { code: 'PROTOCOL', message: expect.stringContaining('cannot be read') } },
        { name: 'ws-u15', phase: 'unknown', problem: { code: 'UNAVAILABLE', message: expect.stringContaining('does not answer') } },
      ]),
    );
  });

  test('shows a member the own one, or none', async () => {
    expect(names((await api.call({ path: '/v2/webspaces', token: 'alice' })).json())).toEqual(['ws-u12']);
    api.lxd.instances.delete('ws-u12');
    expect((await api.call({ path: '/v2/webspaces', token: 'alice' })).json()).toEqual({ webspaces: [] });
  });

  test.each([
    ['bob', ['ws-u13']],
    ['SHOP.example', ['ws-u13']],
    ['alice.ws', ['ws-u12']],
    ['u1', ['ws-u12', 'ws-u13', 'ws-u14', 'ws-u15']],
    ['nothing', []],
  ])('searches for %s', async (q, found) => {
    expect(names((await api.call({ path: `/v2/webspaces?q=${encodeURIComponent(q)}`, token: 'root' })).json())).toEqual(found);
  });

  test('goes on from page to page', async () => {
    const first = (await api.call({ path: '/v2/webspaces?limit=3', token: 'root' })).json();
    expect(first).toMatchObject({ cursor: 'ws-u14' });
    const second = (await api.call({ path: `/v2/webspaces?limit=3&cursor=${first['cursor']}`, token: 'root' })).json();
    expect(second).toEqual({ webspaces: [expect.objectContaining({ name: 'ws-u15' })] });
  });

  test.each(['limit=0', 'limit=many', 'limit=201', 'colour=red', 'cursor=%20'])(
    'refuses the query %s with 400 naming it',
    async (query) => {
      const answer = await api.call({ path: `/v2/webspaces?${query}`, token: 'root' });
      expect(answer.json()).toMatchObject({ status: 400, field: query.split('=')[0] });
    },
  );
});

describe('one webspace', () => {
  test('is shown to its owner and to admins, and is 403 to others, whether it exists or not', async () => {
    expect((await api.call({ path: '/v2/webspaces/ws-u12', token: 'alice' })).json()).toMatchObject({
      name: 'ws-u12',
      address: '10.77.1.12',
    });
    expect((await api.call({ path: '/v2/webspaces/ws-u12', token: 'root' })).status).toBe(200);
    expect((await api.call({ path: '/v2/webspaces/ws-u13', token: 'alice' })).status).toBe(403);
    expect((await api.call({ path: '/v2/webspaces/ws-u99', token: 'alice' })).status).toBe(403);
    expect((await api.call({ path: '/v2/webspaces/ws-u99', token: 'root' })).status).toBe(404);
  });

  test('goes by the owner in its record, also under another name', async () => {
    api.lxd.instances.set('ws-u77', instanceOf('ws-u77', recordText({ id: '12', username: 'alice' })));
    expect((await api.call({ path: '/v2/webspaces/ws-u77', token: 'alice' })).status).toBe(200);
    api.lxd.instances.delete('ws-u77');
  });

  test('that is an instance but no webspace is 404', async () => {
    expect((await api.call({ path: '/v2/webspaces/router', token: 'root' })).status).toBe(404);
  });
});

describe('changing webspaces', () => {
  test('creating answers 202 with the operation', async () => {
    api.lxd.instances.delete('ws-u12');
    const answer = await api.call({ method: 'POST', path: '/v2/webspaces', token: 'alice', body: { image: 'hello', boot: true } });
    expect(answer.status).toBe(202);
    expect(answer.json()).toMatchObject({
      kind: 'create',
      webspace: 'ws-u12',
      status: 'running',
      links: { temporalUi: expect.stringContaining('/namespaces/') },
    });
    expect(api.operations.started[0]?.input).toMatchObject({ boot: true, owner: { id: '12', username: 'alice' } });
  });

  test('an admin creates for somebody else, a member does not', async () => {
    api.lxd.instances.delete('ws-u13');
    const create = (token: string) => api.call({ method: 'POST', path: '/v2/webspaces', token, body: { image: 'hello', owner: 'bob' } });
    expect((await create('alice')).status).toBe(403);
    expect((await create('root')).json()).toMatchObject({ webspace: 'ws-u13', owner: '13', requestedBy: { username: 'root' } });
  });

  test.each([
    ['DELETE', '/v2/webspaces/ws-u12', 'delete'],
    ['POST', '/v2/webspaces/ws-u12/reboot', 'reboot'],
    ['POST', '/v2/webspaces/ws-u12/shutdown', 'shutdown'],
  ])('%s %s answers 202 and starts %s', async (method, path, kind) => {
    expect((await api.call({ method, path, token: 'alice' })).json()).toMatchObject({ kind, status: 'running' });
    expect((await api.call({ method, path, token: 'bob' })).status).toBe(403);
    expect((await api.call({ method, path })).status).toBe(401);
    expect(api.operations.started).toHaveLength(1);
  });

  test('a repeated delete with a key answers with the operation of the first, although the webspace is gone', async () => {
    const request = { method: 'DELETE', path: '/v2/webspaces/ws-u12', token: 'alice', headers: { 'idempotency-key': 'gone' } };
    const first = (await api.call(request)).json();
    api.lxd.instances.delete('ws-u12');
    const second = await api.call(request);
    expect([second.status, second.json()]).toEqual([202, first]);
  });

  test('booting one that runs, and shutting down one that does not, is 409', async () => {
    expect((await api.call({ method: 'POST', path: '/v2/webspaces/ws-u12/boot', token: 'alice' })).status).toBe(409);
    expect((await api.call({ method: 'POST', path: '/v2/webspaces/ws-u13/shutdown', token: 'bob' })).status).toBe(409);
    expect((await api.call({ method: 'POST', path: '/v2/webspaces/ws-u13/boot', token: 'bob' })).json()).toMatchObject({
      kind: 'boot',
      webspace: 'ws-u13',
    });
  });

  test('an admin deletes one whose record cannot be read', async () => {
    expect((await api.call({ method: 'DELETE', path: '/v2/webspaces/ws-u14', token: 'root' })).status).toBe(202);
  });
});
