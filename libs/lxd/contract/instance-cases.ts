import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { LXD_STATUS } from '../types.js';
import { type Fixture, failureOf } from './fixture.js';

const RECORD = 'user.webspaces.record';

export function instanceCases(fixture: Fixture): void {
  test('the server says who it is and that it trusts us', async () => {
    const server = await fixture.client.server();
    expect(server.auth).toBe('trusted');
    expect(server.environment.certificate_fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(server.environment.server_version).toMatch(/^5\.0\./);
    expect(server.environment.server_clustered).toBe(false);
  });

  test('a server of its own has no cluster members', async () => {
    expect(await fixture.client.cluster.members()).toEqual([]);
  });

  test('an instance is born stopped, with its record, and with the mark of a whole root filesystem', async () => {
    const name = await fixture.make(undefined, { [RECORD]: '{"schema":1}' });
    const { value, etag } = await fixture.client.instances.get(name);
    expect(value).toMatchObject({ name, status_code: LXD_STATUS.stopped, type: 'container', profiles: ['default'] });
    expect(value.config).toMatchObject({
      [RECORD]: '{"schema":1}',
      'volatile.apply_template': 'create',
      'volatile.base_image': fixture.fingerprint,
    });
    expect(value.expanded_devices?.['eth0']?.['type']).toBe('nic');
    expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
    const listed = (await fixture.client.instances.list()).find((each) => each.name === name);
    expect(listed?.config[RECORD]).toBe('{"schema":1}');
  });

  test('a missing instance is NOT_FOUND, whatever is asked of it', async () => {
    const { instances } = fixture.client;
    const change = { action: 'start' as const, timeoutSeconds: 5, force: false };
    const calls: (() => Promise<unknown>)[] = [
      () => instances.get('nobody'),
      () => instances.state('nobody'),
      () => instances.delete('nobody'),
      () => instances.changeState('nobody', change),
      () => instances.patchConfig('nobody', { 'user.a': '1' }),
    ];
    for (const call of calls) expect((await failureOf(call())).code).toBe('NOT_FOUND');
  });

  test.each([
    ['a taken name', { name: 'contract-shared' }, 'CONFLICT'],
    ['an unknown config key', { config: { 'limits.cpux': '1' } }, 'INVALID_INPUT'],
    ['an unknown image', { fingerprint: '0'.repeat(64) }, 'NOT_FOUND'],
    ['a bad name', { name: 'a_b' }, 'INVALID_INPUT'],
    ['an unknown profile', { profiles: ['nope'] }, 'INVALID_INPUT'],
  ])('creating with %s fails with the code that says so', async (_what, given, code) => {
    const request = { name: fixture.newName(), fingerprint: fixture.fingerprint, profiles: ['default'], config: {}, devices: {}, ...given };
    const failure = await failureOf(fixture.client.instances.create(request).then((operation) => operation.wait()));
    expect(failure.code).toBe(code);
  });

  test('a failed create leaves the instance of that name alone', async () => {
    const before = await fixture.client.instances.get(fixture.shared);
    await failureOf(fixture.begin(fixture.shared, { 'user.other': '1' }).then((operation) => operation.wait()));
    expect((await fixture.client.instances.get(fixture.shared)).etag).toBe(before.etag);
  });

  test('a change of config touches the given keys only and needs the current ETag', async () => {
    const { instances } = fixture.client;
    const name = await fixture.make(undefined, { [RECORD]: 'one', 'user.kept': 'yes' });
    const { etag } = await instances.get(name);
    await instances.patchConfig(name, { [RECORD]: 'two' }, { etag });
    expect((await instances.get(name)).value.config).toMatchObject({ [RECORD]: 'two', 'user.kept': 'yes' });
    expect(await failureOf(instances.patchConfig(name, { [RECORD]: 'three' }, { etag }))).toMatchObject({ code: 'STALE' });
    await instances.patchConfig(name, { [RECORD]: 'four' });
    expect((await instances.get(name)).value.config[RECORD]).toBe('four');
    expect((await failureOf(instances.patchConfig(name, { 'no.such': '1' }))).code).toBe('INVALID_INPUT');
  });

  test('a deleted instance is gone and its name free', async () => {
    const name = await fixture.make();
    await fixture.remove(name);
    expect((await failureOf(fixture.client.instances.get(name))).code).toBe('NOT_FOUND');
    await fixture.make(name);
    await fixture.remove(name);
  });

  test('an operation that LXD no longer knows is lost, not failed', async () => {
    const failure = await failureOf(fixture.client.operations.adopt(randomUUID()).wait());
    expect(failure).toMatchObject({ code: 'UNAVAILABLE', details: { lost: true } });
    expect(await fixture.client.operations.adopt(randomUUID()).cancel()).toBe(false);
  });

  test('a name that would address something else is refused before it is sent', async () => {
    for (const name of ['', '.', '..']) expect((await failureOf(fixture.client.instances.get(name))).code).toBe('INVALID_INPUT');
  });
}
