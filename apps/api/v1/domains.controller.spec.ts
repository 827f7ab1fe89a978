import { beforeEach, describe, expect, test } from '@jest/globals';
import { instanceOf, recordText } from '../testing/lxd-stub.js';
import { shareTestApi } from '../testing/share-test-api.js';
import type { TestApi } from '../testing/test-api.js';

let api: TestApi;
shareTestApi((started) => {
  api = started;
});
beforeEach(() => {
  api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText({ id: '12', username: 'alice' })));
});

const ask = (method: string, domain = '', token = 'alice') => api.call({ method, path: `/v1/webspace/self/domains${domain}`, token });
const asked = () => api.operations.started.map(({ input }) => (input as { change: { domains: object } }).change.domains);

describe('the domains of a webspace', () => {
  test('are listed with the default one first', async () => {
    expect((await ask('GET')).json()).toEqual(['alice.ws.test', 'blog.example.com']);
  });

  test.each([
    ['/shop.example.com', 'shop.example.com'],
    ['/Shop.Example.COM.', 'shop.example.com'],
    ['/b%C3%BCcher.example', 'xn--bcher-kva.example'],
  ])('are added by POST %s in canonical form, with an empty answer', async (path, domain) => {
    const answer = await ask('POST', path);
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect(asked()).toEqual([{ add: [domain], remove: [] }]);
  });

  test('are removed however they are written', async () => {
    expect((await ask('DELETE', '/BLOG.example.com.')).status).toBe(204);
    expect(asked()).toEqual([{ add: [], remove: ['blog.example.com'] }]);
  });

  test.each([
    ['POST', '/x.ws.test', 400, /the platform's own/],
    ['POST', '/shop.localhost', 400, /reserved/],
    ['POST', '/co.uk', 400, /public suffix/],
    ['POST', '/*.example.com', 400, /wildcards/],
    ['POST', '/192.0.2.1', 400, /address/],
    ['POST', `/${'a'.repeat(250)}.example.com`, 400, /at most 253/],
    ['DELETE', '/alice.ws.test', 400, /^cannot remove the default domain$/],
    ['DELETE', '/ALICE.ws.test.', 400, /^cannot remove the default domain$/],
    ['DELETE', '/other.example.com', 404, /^not found$/],
    ['DELETE', '/*.example.com', 404, /^not found$/],
    ['POST', '/blog.example.com', 409, /^used by a webspace$/],
    ['POST', '/BLOG.example.com.', 409, /^used by a webspace$/],
  ])('%s %s is answered %i before anything is begun', async (method, path, status, message) => {
    const answer = await ask(method, path);
    expect([answer.status, answer.json()['message']]).toEqual([status, expect.stringMatching(message)]);
    if (status === 400) expect(answer.json()['field']).toBe('domain');
    expect(api.operations.started).toEqual([]);
  });

  test('are 404 without a webspace', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/shop.example.com'],
      ['DELETE', '/shop.example.com'],
    ] as const) {
      expect((await ask(method, path, 'bob')).status).toBe(404);
    }
  });

  test('are part of a change of several things at once', async () => {
    const body = { config: { httpPort: 8080 }, domains: { add: ['Shop.example.com'], remove: ['blog.example.com'] } };
    expect((await api.call({ method: 'PATCH', path: '/v2/webspaces/ws-u12', token: 'alice', body })).status).toBe(202);
    expect(api.operations.started).toMatchObject([
      {
        kind: 'change',
        input: { change: { config: { httpPort: 8080 }, domains: { add: ['shop.example.com'], remove: ['blog.example.com'] } } },
      },
    ]);
    const refused = await api.call({
      method: 'PATCH',
      path: '/v2/webspaces/ws-u12',
      token: 'alice',
      body: { domains: { add: ['co.uk'] } },
    });
    expect([refused.status, refused.json()['field']]).toEqual([400, 'domain']);
  });
});
