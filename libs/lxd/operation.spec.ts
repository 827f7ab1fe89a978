import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { eventually } from '#libs/testing/eventually.js';
import { type LxdDouble, startLxdDouble } from '#libs/testing/lxd-double/index.js';
import type { LxdClient } from './client.js';
import { failureOf } from './contract/fixture.js';
import { createLxdClient } from './create-client.js';

let double: LxdDouble;
let client: LxdClient;
let fingerprint: string;

beforeAll(async () => {
  double = await startLxdDouble();
  client = createLxdClient({ socket: double.socket, waitSliceSeconds: 0.05 });
  fingerprint = await client.images.resolveAlias('hello');
});
afterEach(() => double.faults.clear());
afterAll(async () => {
  await client.close();
  await double.close();
});

const begin = (name: string) => client.instances.create({ name, fingerprint, profiles: ['default'], config: {}, devices: {} });

test('an operation whose URL carries ?project= is waited for all the same', async () => {
  double.faults.operationProject = true;
  const operation = await begin('forwarded');
  expect(operation.id).toMatch(/^[0-9a-f-]{36}$/);
  await operation.wait();
  expect(double.requests.at(-1)).toContain(`/1.0/operations/${operation.id}/wait?`);
});

test('a wait goes on slice by slice, with a call between them', async () => {
  const release = double.faults.holdOperation(/Creating instance sliced/);
  const operation = await begin('sliced');
  let slices = 0;
  const onSlice = (): void => {
    slices += 1;
    if (slices === 3) release();
  };
  await operation.wait({ onSlice });
  expect(slices).toBeGreaterThanOrEqual(3);
});

test('a finished operation that vanished is lost: what it changed must be read', async () => {
  double.faults.vanishAtOnce = true;
  const operation = await begin('vanished');
  await eventually(async () => ((await client.operations.running({ instance: 'vanished' })).length === 0 ? true : undefined));
  expect(await failureOf(operation.wait())).toMatchObject({ code: 'UNAVAILABLE', details: { lost: true, lxdOperation: operation.id } });
  expect((await client.instances.get('vanished')).value.config['volatile.apply_template']).toBe('create');
});

test('the daemon is killed in the middle of a create: the operation is lost, a half-made instance stays', async () => {
  const slow = await startLxdDouble({ operationMs: 200, rowMs: 1 });
  const own = createLxdClient({ socket: slow.socket, waitSliceSeconds: 1 });
  const operation = await own.instances.create({
    name: 'half',
    fingerprint: await own.images.resolveAlias('hello'),
    profiles: ['default'],
    config: { 'user.webspaces.record': '{}' },
    devices: {},
  });
  const waiting = failureOf(operation.wait());
  await eventually(async () => ((await own.instances.list()).some(({ name }) => name === 'half') ? true : undefined));
  expect(await own.operations.running({ instance: 'half' })).toHaveLength(1);
  slow.restart();
  expect((await waiting).code).toBe('UNAVAILABLE');
  expect(await own.operations.running({ instance: 'half' })).toEqual([]);
  const { config } = (await own.instances.get('half')).value;
  expect(config).toMatchObject({ 'user.webspaces.record': '{}' });
  expect(config['volatile.apply_template'] ?? config['volatile.last_state.power']).toBeUndefined();
  const start = own.instances.changeState('half', { action: 'start', timeoutSeconds: 5, force: false });
  expect(await failureOf(start.then((started) => started.wait()))).toMatchObject({ details: { reason: 'half-made' } });
  await (await own.instances.delete('half')).wait();
  await own.close();
  await slow.close();
});

test('an instance that is being created is busy for everything else, and its name is not yet taken', async () => {
  const slow = await startLxdDouble({ operationMs: 3_000 });
  const begin = slow.faults.holdOperation(/Creating instance new/);
  const own = createLxdClient({ socket: slow.socket });
  const request = { name: 'new', fingerprint, profiles: ['default'], config: {}, devices: {} };
  const operation = await own.instances.create(request);
  expect((await failureOf(own.instances.get('new'))).code).toBe('NOT_FOUND');
  expect(await own.operations.running({ instance: 'new' })).toHaveLength(1);
  begin();
  const found = await eventually(() => own.instances.get('new').catch(() => undefined));
  expect(found.value.config['volatile.apply_template']).toBeUndefined();
  for (const begun of [own.instances.delete('new'), own.instances.create(request)]) {
    expect(await failureOf(begun.then((other) => other.wait()))).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'busy' } });
  }
  await operation.wait();
  await own.close();
  await slow.close();
});

test('a graceful stop that is ignored fails after its time; a forced one meanwhile ends both', async () => {
  double.addInstance('stubborn', { status: 'Running', ignoresShutdown: true });
  const stop = (timeoutSeconds: number, force: boolean) =>
    client.instances.changeState('stubborn', { action: 'stop', timeoutSeconds, force }).then((operation) => operation.wait());
  expect(await failureOf(stop(1, false))).toMatchObject({ code: 'OPERATION_FAILED', details: { reason: 'shutdown-timeout' } });
  const graceful = stop(30, false);
  await stop(30, true);
  await graceful;
  expect(double.instances.get('stubborn')?.status).toBe('Stopped');
});

test('a failure keeps the id of its operation and hides what must be hidden', async () => {
  double.faults.failOperation(/Creating instance doomed/, 'it broke: secret=abcdef');
  const operation = await begin('doomed');
  const failure = await failureOf(operation.wait());
  expect(failure).toMatchObject({ code: 'OPERATION_FAILED', details: { lxdOperation: operation.id } });
  expect(failure.message).not.toContain('abcdef');
});

test('the secrets of attached sockets are in no error', async () => {
  double.addInstance('sh', { status: 'Running' });
  double.faults.answer(500, 'permission denied', { match: /websocket/ });
  const failure = await failureOf(client.exec.run('sh', { command: ['true'] }));
  const [, secret] = /secret=([0-9a-f]+)/.exec(double.requests.findLast((line) => line.includes('secret=')) ?? '') ?? [];
  expect(secret).toHaveLength(64);
  expect(`${failure.message}${failure.stack}${JSON.stringify(failure.details)}${String(failure.cause)}`).not.toContain(secret ?? '');
});

describe('a command whose sockets come too late', () => {
  const refused = (times: number) => double.faults.answer(500, 'Only running operations can be connected', { match: /websocket/, times });
  const run = () => client.exec.run('sh', { command: ['true'] });
  let before: number;
  const asked = () => double.requests.slice(before).filter((line) => line.startsWith('POST /1.0/instances/sh/exec')).length;

  beforeEach(() => {
    double.addInstance('sh', { status: 'Running' });
    before = double.requests.length;
  });

  test('has not begun, and is started once more', async () => {
    refused(1);
    expect(await run()).toMatchObject({ exitCode: 0 });
    expect(asked()).toBe(2);
  });

  test('fails when that happens again', async () => {
    refused(2);
    expect(await failureOf(run())).toMatchObject({ code: 'UNAVAILABLE' });
    expect(asked()).toBe(2);
  });

  test('is started once when LXD drops a socket, and may have begun it', async () => {
    double.faults.drop({ match: /websocket/, times: 1 });
    expect(await failureOf(run())).toMatchObject({ code: 'UNAVAILABLE' });
    expect(asked()).toBe(1);
  });
});
