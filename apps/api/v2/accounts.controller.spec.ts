import { describe, expect, test } from '@jest/globals';
import { instanceOf, recordText } from '../testing/lxd-stub.js';
import { shareTestApi } from '../testing/share-test-api.js';
import type { TestApi } from '../testing/test-api.js';

let api: TestApi;
shareTestApi((started) => {
  api = started;
});

const ALICE = { id: '12', username: 'alice' };
const since = '2026-11-23T12:00:00.000Z';
function have(reason?: 'admin' | 'expired'): void {
  const policy = { alwaysOn: false, ...(reason ? { suspended: { since, reason, by: 'root', note: 'mining' } } : {}) };
  api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText(ALICE, { policy })));
}
const post = (path: string, token: string, body?: unknown) =>
  api.call({ method: 'POST', path, token, ...(body === undefined ? {} : { body }) });

describe('suspending and resuming an account', () => {
  test('starts an operation of its own, which says who, why and since when', async () => {
    have();
    const answer = await post('/v2/accounts/12/suspend', 'root', { note: 'mining' });
    expect([answer.status, answer.json()]).toEqual([
      202,
      expect.objectContaining({ kind: 'suspend', webspace: 'ws-u12', status: 'running' }),
    ]);
    const suspension = { to: 'suspended', since: expect.any(String), reason: 'admin', by: 'root', note: 'mining' };
    expect(api.operations.started).toEqual([expect.objectContaining({ kind: 'suspend', owner: '12' })]);
    expect(api.operations.started[0]?.input).toMatchObject({ name: 'ws-u12', change: { suspension } });
    have('admin');
    expect((await post('/v2/accounts/12/resume', 'root')).status).toBe(202);
    expect(api.operations.started[1]?.input).toMatchObject({ change: { suspension: { to: 'resumed', by: 'root' } } });
  });

  test.each(['suspend', 'resume'])('%s is for admins', async (what) => {
    have();
    expect((await post(`/v2/accounts/12/${what}`, 'alice', {})).status).toBe(403);
    expect(api.operations.started).toHaveLength(0);
  });

  test('is refused when it is so already, for an account without a webspace, and with a body of another form', async () => {
    have();
    expect((await post('/v2/accounts/12/resume', 'root')).json()).toMatchObject({ status: 409, message: 'not suspended' });
    expect((await post('/v2/accounts/13/suspend', 'root', {})).status).toBe(404);
    expect((await post('/v2/accounts/12/suspend', 'root', { reason: 'x' })).json()).toMatchObject({ status: 400, field: 'reason' });
    have('admin');
    expect((await post('/v2/accounts/12/suspend', 'root', {})).json()).toMatchObject({ status: 409, message: 'suspended' });
    expect(api.operations.started).toHaveLength(0);
  });

  test('takes any account id, percent-encoded', async () => {
    expect((await post('/v2/accounts/auth0%7C5f7c%2Fx/suspend', 'root', {})).json()).toMatchObject({
      status: 404,
      detail: expect.stringMatching(/^There is no webspace ws-x[a-z2-7]{12}\./),
    });
  });
});

describe('a suspended webspace', () => {
  test.each(['/v1/webspace/self/state', '/v2/webspaces/ws-u12/boot'])(
    'is not booted by %s, which says since when and why',
    async (path) => {
      have('admin');
      expect((await post(path, 'alice')).json()).toMatchObject({
        status: 409,
        code: 'CONFLICT',
        message: 'suspended',
        detail: `ws-u12 is suspended since ${since}: an admin has suspended it (mining).`,
      });
      expect(api.operations.started).toHaveLength(0);
    },
  );

  test.each(['/v1/webspace/self', '/v2/webspaces/ws-u12'])('by an admin is not deleted by its member with %s', async (path) => {
    have('admin');
    const remove = (token: string, at = path) => api.call({ method: 'DELETE', path: at, token });
    expect((await remove('alice')).json()).toMatchObject({ status: 409, message: 'suspended' });
    expect(api.operations.started).toHaveLength(0);
    expect((await remove('root', path.replace('self', 'alice'))).status).toBeLessThan(300);
    have('expired');
    expect((await remove('alice')).status).toBeLessThan(300);
  });

  test('is shown as such', async () => {
    have('expired');
    expect((await api.call({ path: '/v2/webspaces/ws-u12', token: 'alice' })).json()).toMatchObject({
      suspended: { since, reason: 'expired', by: 'root', note: 'mining' },
    });
  });
});
