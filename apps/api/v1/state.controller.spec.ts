import { describe, expect, test } from '@jest/globals';
import { instanceOf, recordText } from '../testing/lxd-stub.js';
import { shareTestApi } from '../testing/share-test-api.js';
import type { TestApi } from '../testing/test-api.js';

let api: TestApi;
shareTestApi((started) => {
  api = started;
});

const state = (method: string, headers: Record<string, string> = {}) =>
  api.call({ method, path: '/v1/webspace/self/state', token: 'alice', headers });
const have = (status: 'running' | 'stopped') =>
  api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText({ id: '12', username: 'alice' }), status));

test.each(['GET', 'POST', 'PUT', 'DELETE', 'PATCH'])('%s needs a token, and a webspace', async (method) => {
  expect((await api.call({ method, path: '/v1/webspace/self/state' })).status).toBe(401);
  expect((await api.call({ method, path: '/v1/webspace/bob/state', token: 'alice' })).status).toBe(403);
  expect((await state(method)).json()).toMatchObject({ status: 404, message: 'not found' });
});

describe('reading the state', () => {
  test('of a running webspace gives usage, uptime and addresses, without lo and without disks that cannot be told', async () => {
    have('running');
    const body = (await state('GET')).json();
    expect(body).toMatchObject({
      running: true,
      usage: { cpu: 123, disks: { root: 1000 }, memory: 4096, processes: 3 },
      networkInterfaces: {
        eth0: {
          mac: '00:16:3e:00:00:01',
          mtu: 1500,
          state: 'up',
          counters: { bytesReceived: 1, bytesSent: 2, packetsReceived: 3, packetsSent: 4 },
          addresses: [{ family: 'inet', address: '10.77.1.12', netmask: '16', scope: 'global' }],
        },
      },
    });
    expect(Object.keys(body['networkInterfaces'] as object)).toEqual(['eth0']);
    expect(Object.keys((body['usage'] as { disks: object }).disks)).toEqual(['root']);
    expect(body['uptime']).toBeGreaterThanOrEqual(59);
  });

  test('of a stopped webspace says so', async () => {
    have('stopped');
    expect((await state('GET')).json()).toMatchObject({ running: false, uptime: 0, networkInterfaces: {} });
  });
});

describe('reading the state again', () => {
  /** Reads of LXD that one request makes. */
  async function readsOf(): Promise<string[]> {
    api.lxd.reads.length = 0;
    expect((await state('GET')).status).toBe(200);
    return [...api.lxd.reads].sort();
  }
  const started = (changes: object = {}) => {
    const instance = instanceOf('ws-u12', recordText({ id: '12', username: 'alice' }), 'running');
    api.lxd.instances.set('ws-u12', { ...instance, ...changes, config: { ...instance.config, 'volatile.last_state.power': 'RUNNING' } });
  };

  test('costs one read of LXD while the container is the same, and says since when it runs', async () => {
    started();
    expect(await readsOf()).toEqual(['instance ws-u12', 'state ws-u12']);
    expect(await readsOf()).toEqual(['state ws-u12']);
    expect((await state('GET')).json()['uptime']).toBeGreaterThanOrEqual(59);
  });

  test('after a stop, and after the webspace is gone, says so', async () => {
    started();
    await readsOf();
    have('stopped');
    expect((await state('GET')).json()).toMatchObject({ running: false, uptime: 0 });
    api.lxd.instances.clear();
    expect((await state('GET')).json()).toMatchObject({ status: 404, message: 'not found' });
  });
});

describe('changing the state', () => {
  test.each([
    ['POST', 'stopped', 'boot', { name: 'ws-u12' }],
    ['PUT', 'running', 'reboot', { name: 'ws-u12', requestedBy: { subject: '12', username: 'alice' } }],
    ['DELETE', 'running', 'shutdown', { name: 'ws-u12', requestedBy: { subject: '12', username: 'alice' } }],
    ['PATCH', 'stopped', 'restore', { name: 'ws-u12', reason: 'asked by alice' }],
  ] as const)('%s of a %s webspace starts %s and answers 204', async (method, status, kind, input) => {
    have(status);
    const answer = await state(method);
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect(api.operations.started).toEqual([expect.objectContaining({ kind, owner: '12', input: expect.objectContaining(input) })]);
  });

  test('PATCH of a webspace whose account has another name by now follows it first', async () => {
    api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText({ id: '12', username: 'former' })));
    expect((await state('PATCH')).status).toBe(204);
    expect(api.operations.started[0]).toMatchObject({ kind: 'rename', owner: '12' });
    expect(api.operations.started[0]?.input).toMatchObject({ change: { owner: { username: 'alice' } } });
  });

  test.each([
    ['POST', 'running', 409, 'already running'],
    ['PUT', 'stopped', 404, 'not running'],
    ['DELETE', 'stopped', 404, 'not running'],
  ] as const)('%s of a %s webspace is %i "%s", and starts nothing', async (method, phase, status, message) => {
    have(phase);
    expect((await state(method)).json()).toMatchObject({ status, message });
    expect(api.operations.started).toHaveLength(0);
  });

  test('a boot that takes too long is 504 with its operation', async () => {
    have('stopped');
    api.operations.outcome = 'running';
    expect((await state('POST')).json()).toMatchObject({ status: 504, operation: expect.stringMatching(/^boot:ws-u12:/) });
  });

  test('a repeated boot with a key is not refused because it runs by now', async () => {
    have('running');
    expect((await state('POST', { 'idempotency-key': 'boot-1' })).status).toBe(204);
  });

  test('a repeated shutdown with a key is not refused because it is stopped by now', async () => {
    have('running');
    expect((await state('DELETE', { 'idempotency-key': 'off-1' })).status).toBe(204);
    have('stopped');
    expect((await state('DELETE', { 'idempotency-key': 'off-1' })).status).toBe(204);
    expect(api.operations.started).toHaveLength(1);
  });
});
