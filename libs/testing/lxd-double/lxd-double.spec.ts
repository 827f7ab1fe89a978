import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { LxdClient } from '#libs/lxd/client.js';
import { failureOf } from '#libs/lxd/contract/fixture.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { eventually } from '#libs/testing/eventually.js';
import { type LxdDouble, startLxdDouble } from './index.js';

let double: LxdDouble;
let client: LxdClient;

beforeAll(async () => {
  double = await startLxdDouble({
    exec: ([name, ...args], stdin) => (name === 'greet' ? { exitCode: args.length, stdout: `hello ${stdin}` } : undefined),
  });
  client = createLxdClient({ socket: double.socket });
  double.addInstance('web', { status: 'Running' });
});
afterEach(() => double.faults.clear());
afterAll(async () => {
  await client.close();
  await double.close();
});

test('an ETag can be made stale', async () => {
  const { etag } = await client.instances.get('web');
  double.faults.staleEtags = 1;
  expect((await failureOf(client.instances.patchConfig('web', { 'user.a': '1' }, { etag }))).code).toBe('STALE');
  await client.instances.patchConfig('web', { 'user.a': '1' }, { etag });
});

test('the list can be empty while single instances are there', async () => {
  double.faults.emptyList = true;
  expect(await client.instances.list()).toEqual([]);
  expect((await client.instances.get('web')).value.name).toBe('web');
});

test('a fault hits the requests that match, as often as told', async () => {
  double.faults.answer(503, 'LXD is shutting down', { match: /GET .*\/state$/, times: 2 });
  await client.instances.get('web');
  for (let round = 0; round < 2; round += 1) expect((await failureOf(client.instances.state('web'))).code).toBe('UNAVAILABLE');
  expect((await client.instances.state('web')).status).toBe('Running');
});

test('an answer can be late', async () => {
  double.faults.delay(100, { times: 1 });
  const begun = Date.now();
  await client.server();
  expect(Date.now() - begun).toBeGreaterThanOrEqual(95);
});

test('what happens inside an instance is told as LXD tells it', async () => {
  const told: unknown[] = [];
  const stream = client.events(['lifecycle'], {
    onConnected: () => told.push('connected'),
    onDisconnected: () => undefined,
    onEvent: ({ metadata }) => told.push(metadata['action']),
  });
  await eventually(() => told.length || undefined);
  double.rebootInside('web');
  double.powerOff('web');
  await eventually(() => (told.length === 4 ? true : undefined));
  expect(told).toEqual(['connected', 'instance-shutdown', 'instance-restarted', 'instance-shutdown']);
  expect((await client.instances.state('web')).status).toBe('Stopped');
  stream.close();
});

test('commands of a test run in it', async () => {
  double.addInstance('shell', { status: 'Running' });
  const result = await client.exec.run('shell', { command: ['greet', 'a', 'b'], input: 'you' });
  expect([result.exitCode, result.stdout.toString()]).toEqual([2, 'hello you']);
});
