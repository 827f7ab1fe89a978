import { describe, expect, test } from '@jest/globals';
import { noWebspace, PlatformError } from '#libs/errors/platform-error.js';
import { instanceOf, recordText } from '../testing/lxd-stub.js';
import { shareTestApi } from '../testing/share-test-api.js';
import type { TestApi } from '../testing/test-api.js';

let api: TestApi;
shareTestApi((started) => {
  api = started;
});

const ALICE = { id: '12', username: 'alice' };
const webspace = (method = 'GET', user = 'self') => ({ method, path: `/v1/webspace/${user}`, token: 'alice' });

describe('who may call', () => {
  test('a request without a token is answered 401 in the original words', async () => {
    const answer = await api.call({ path: '/v1/webspace/self' });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(answer.json()).toMatchObject({ message: 'token required for this endpoint', code: 'UNAUTHORIZED', status: 401 });
  });

  test('an authorization header of another form counts as none', async () => {
    const answer = await api.call({ path: '/v1/webspace/self', headers: { authorization: 'Basic YWxpY2U6cA==' } });
    expect(answer.json()).toMatchObject({ message: 'token required for this endpoint' });
  });

  test('a bad token is answered 401', async () => {
    expect((await api.call({ ...webspace(), token: 'mallory' })).status).toBe(401);
  });

  test("somebody else's webspace is answered 403, for every method and whether the user exists or not", async () => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      for (const user of ['bob', 'nobody', 'id:13'])
        expect((await api.call({ ...webspace(method, user), body: { image: 'hello' } })).status).toBe(403);
    }
  });

  test('an admin may name anybody by name and id, and is told of an unknown user with 404', async () => {
    api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText(ALICE)));
    expect((await api.call({ ...webspace('GET', 'alice'), token: 'root' })).status).toBe(200);
    expect((await api.call({ ...webspace('GET', 'id:12'), token: 'root' })).status).toBe(200);
    expect((await api.call({ ...webspace('GET', 'nobody'), token: 'root' })).status).toBe(404);
  });

  test('an identity service that is away is 503 with Retry-After, not 403', async () => {
    api.identityFailure = new PlatformError('UNAVAILABLE', 'The identity service cannot be asked.');
    const answer = await api.call(webspace());
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('3');
  });

  test('nothing is said about a body before the token is known to be good', async () => {
    expect((await api.call({ method: 'POST', path: '/v1/webspace/self', body: '{' })).status).toBe(401);
  });

  test('a record of another owner under the own name is not shown', async () => {
    api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText({ id: '99', username: 'eve' })));
    expect((await api.call(webspace())).status).toBe(403);
  });
});

describe('reading a webspace', () => {
  test('gives it in the original form', async () => {
    api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText(ALICE)));
    const answer = await api.call(webspace());
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({
      user: 12,
      config: { startupDelay: 3, httpPort: 80, sniPassthrough: false },
      domains: ['blog.example.com'],
      ports: { '60022': 22 },
    });
  });

  test('is 404 in the original words when there is none', async () => {
    const answer = await api.call(webspace());
    expect(answer.status).toBe(404);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json()).toMatchObject({
      message: 'not found',
      detail: 'There is no webspace ws-u12. Create it first.',
      code: 'NOT_FOUND',
    });
  });

  test('is 502 with the reason when its record cannot be read', async () => {
    api.lxd.instances.set('ws-u12', instanceOf('ws-u12', '{"schema":1}'));
    const answer = await api.call(webspace());
    expect(answer.status).toBe(502);
    expect(answer.json()).toMatchObject({ code: 'PROTOCOL', detail: expect.stringContaining('cannot be read') });
  });

  test('is 503 when LXD is away, and works while Temporal is', async () => {
    api.lxd.failure = new PlatformError('UNAVAILABLE', 'LXD does not answer.');
    expect((await api.call(webspace())).status).toBe(503);
    api.lxd.failure = undefined;
    api.operations.failure = new PlatformError('UNAVAILABLE', 'Temporal does not answer.');
    api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText(ALICE)));
    expect((await api.call(webspace())).status).toBe(200);
  });
});

describe('deleting a webspace', () => {
  test('answers 204 without a body when the operation has ended', async () => {
    api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText(ALICE)));
    const answer = await api.call(webspace('DELETE'));
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect(api.operations.started[0]).toMatchObject({ kind: 'delete', name: 'ws-u12' });
  });

  test('is 404 when the operation finds none: one whose creation is under way has no instance yet', async () => {
    api.operations.failure = noWebspace('ws-u12');
    expect((await api.call(webspace('DELETE'))).json()).toMatchObject({ status: 404, message: 'not found' });
  });

  test('answers a repeat with the same key as the first time, although the webspace is gone by then', async () => {
    api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText(ALICE)));
    const repeated = { ...webspace('DELETE'), headers: { 'idempotency-key': 'gone' } };
    expect((await api.call(repeated)).status).toBe(204);
    api.lxd.instances.delete('ws-u12');
    expect((await api.call(repeated)).status).toBe(204);
    expect(api.operations.started).toHaveLength(1);
  });

  test('also works for one whose record cannot be read', async () => {
    api.lxd.instances.set('ws-u12', instanceOf('ws-u12', '{'));
    expect((await api.call(webspace('DELETE'))).status).toBe(204);
  });
});
