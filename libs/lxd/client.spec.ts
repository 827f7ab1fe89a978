import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '#libs/testing/eventually.js';
import { type LxdDouble, startLxdDouble } from '#libs/testing/lxd-double/index.js';
import type { LxdClient } from './client.js';
import { failureOf } from './contract/fixture.js';
import { createLxdClient } from './create-client.js';

let double: LxdDouble;
let client: LxdClient;

beforeAll(async () => {
  double = await startLxdDouble();
  client = createLxdClient({ socket: double.socket, requestTimeoutMs: 2_000, waitSliceSeconds: 1 });
  double.addInstance('web', { status: 'Running', config: { 'user.webspaces.record': '{}' } });
});
afterEach(() => double.faults.clear());
afterAll(async () => {
  await client.close();
  await double.close();
});

const sent = (line: string) => double.requests.filter((each) => each === line).length;

describe('connections', () => {
  test('a keep-alive connection that LXD closed is not seen by its next reader', async () => {
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(Array.from({ length: 5 }, () => client.server()));
      double.cutConnections();
      await client.instances.get('web');
    }
  }, 30_000);

  test('a dropped GET is sent once more, and only once', async () => {
    double.faults.drop({ match: /GET .*instances\/once/, times: 1 });
    expect((await failureOf(client.instances.get('once'))).code).toBe('NOT_FOUND');
    expect(sent('GET /1.0/instances/once')).toBe(2);
    double.faults.drop({ match: /GET .*instances\/never/ });
    expect((await failureOf(client.instances.get('never'))).code).toBe('UNAVAILABLE');
    expect(sent('GET /1.0/instances/never')).toBe(2);
  });

  test('a dropped change is never repeated', async () => {
    double.faults.dropAnswer({ match: /PATCH/, times: 1 });
    const before = sent('PATCH /1.0/instances/web');
    expect((await failureOf(client.instances.patchConfig('web', { 'user.a': '1' }))).code).toBe('UNAVAILABLE');
    expect(sent('PATCH /1.0/instances/web')).toBe(before + 1);
    expect(double.instances.get('web')?.config['user.a']).toBe('1');
  });

  test('an aborted call ends at once with the reason given, and its request is given up', async () => {
    double.faults.hang({ match: /state/ });
    const abort = new AbortController();
    const reason = new Error('no longer wanted');
    const call = client.instances.state('web', { signal: abort.signal });
    await eventually(() => (sent('GET /1.0/instances/web/state') > 0 ? true : undefined));
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
    await expect(client.instances.state('web', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('a call that takes too long is UNAVAILABLE after its time', async () => {
    double.faults.hang({ match: /state/ });
    const begun = Date.now();
    expect(await failureOf(client.instances.state('web', { timeoutMs: 100 }))).toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'timeout' },
    });
    expect(Date.now() - begun).toBeLessThan(1_500);
  });

  test('no LXD at all is UNAVAILABLE', async () => {
    const nobody = createLxdClient({ socket: '/nowhere/unix.socket' });
    const failure = await failureOf(nobody.server());
    expect(failure).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'unreachable' } });
    await nobody.close();
  });

  test('a closed client ends its calls and its streams', async () => {
    const own = createLxdClient({ socket: double.socket });
    double.faults.hang({ match: /nobody/ });
    const call = failureOf(own.instances.get('nobody'));
    await own.close();
    expect((await call).code).toBe('UNAVAILABLE');
  });
});

describe('answers', () => {
  test.each(['html', 'empty', 'object'] as const)('%s from a stranger is PROTOCOL, never "none" or "not found"', async (answer) => {
    double.faults.foreign(answer);
    const calls = [
      () => client.instances.list(),
      () => client.instances.get('web'),
      () => client.images.resolveAlias('hello'),
      () => client.operations.running(),
      () => client.cluster.members(),
      () => client.server(),
      () => client.instances.delete('web'),
      () => client.files.get('web', '/etc/hostname'),
    ];
    for (const call of calls) expect((await failureOf(call())).code).toBe('PROTOCOL');
  });

  test('a proxy without its LXD is UNAVAILABLE', async () => {
    double.faults.foreign('proxy-error');
    expect((await failureOf(client.instances.list())).code).toBe('UNAVAILABLE');
  });

  test('a field of another form is named', async () => {
    const { fingerprint } = double.addImage('odd', { size: 'large' as unknown as number });
    const failure = await failureOf(client.images.get(fingerprint));
    expect(failure.code).toBe('PROTOCOL');
    expect(failure.message).toContain('"size"');
    await (await client.images.delete(fingerprint)).wait();
  });

  test('instances of an unreachable member are Error in the list and UNAVAILABLE alone', async () => {
    double.faults.errorInstances.add('web');
    const [web] = await client.instances.list();
    expect(web).toMatchObject({ name: 'web', status: 'Error', status_code: 112, config: {}, profiles: [] });
    expect((await failureOf(client.instances.get('web'))).code).toBe('UNAVAILABLE');
  });

  test('another server is told by its fingerprint', async () => {
    const { certificate_fingerprint: before } = (await client.server()).environment;
    double.faults.identity = 'f'.repeat(64);
    expect((await client.server()).environment.certificate_fingerprint).not.toBe(before);
  });

  test('the members of a cluster are listed', async () => {
    const member = {
      server_name: 'm1',
      url: 'https://10.0.0.1:8443',
      status: 'Online',
      message: 'Fully operational',
      roles: [],
      architecture: 'x86_64',
    };
    const cluster = await startLxdDouble({ members: [member] });
    const own = createLxdClient({ socket: cluster.socket });
    expect(await own.cluster.members()).toEqual([member]);
    await own.close();
    await cluster.close();
  });

  test('300 instances are listed in a moment', async () => {
    for (let index = 0; index < 300; index += 1)
      double.addInstance(`many-${index}`, { config: { 'user.webspaces.record': 'x'.repeat(500) } });
    const begun = Date.now();
    expect(await client.instances.list()).toHaveLength(301);
    expect(Date.now() - begun).toBeLessThan(500);
    for (let index = 0; index < 300; index += 1) double.removeInstance(`many-${index}`);
  });
});
