import { expect, test } from '@jest/globals';
import { eventually } from '#libs/testing/eventually.js';
import type { StateAction } from '../client.js';
import { LXD_STATUS } from '../types.js';
import { type Fixture, failureOf } from './fixture.js';

export function stateCases(fixture: Fixture): void {
  const begin = (name: string, action: StateAction, force = false) =>
    fixture.client.instances.changeState(name, { action, timeoutSeconds: 20, force });
  const fails = async (name: string, action: StateAction) => failureOf((await begin(name, action)).wait());
  const statusOf = async (name: string) => (await fixture.client.instances.state(name)).status_code;

  test('a stopped instance has no network, a running one an address', async () => {
    const name = await fixture.make();
    expect(await fixture.client.instances.state(name)).toMatchObject({ status_code: LXD_STATUS.stopped, network: null, pid: 0 });
    const running = await fixture.client.instances.state(fixture.shared);
    expect(running.status_code).toBe(LXD_STATUS.running);
    expect(running.network?.['lo']?.addresses[0]).toMatchObject({ family: 'inet', address: '127.0.0.1', scope: 'local' });
    expect(running.memory.usage).toBeGreaterThan(0);
  });

  test('start, freeze, unfreeze, restart, stop; each a second time is a conflict with its reason', async () => {
    const name = await fixture.make();
    expect(await fails(name, 'stop')).toMatchObject({ code: 'CONFLICT', details: { reason: 'not-running' } });
    expect(await fails(name, 'restart')).toMatchObject({ code: 'CONFLICT', details: { reason: 'not-running' } });
    expect(await fails(name, 'freeze')).toMatchObject({ code: 'CONFLICT', details: { reason: 'not-running' } });
    await fixture.change(name, 'start');
    expect(await statusOf(name)).toBe(LXD_STATUS.running);
    expect(await fails(name, 'start')).toMatchObject({ code: 'CONFLICT', details: { reason: 'already-running' } });
    expect(await failureOf(fixture.client.instances.delete(name))).toMatchObject({
      code: 'CONFLICT',
      details: { reason: 'still-running' },
    });
    await fixture.change(name, 'freeze');
    expect(await statusOf(name)).toBe(LXD_STATUS.frozen);
    expect(await fails(name, 'freeze')).toMatchObject({ code: 'CONFLICT', details: { reason: 'frozen' } });
    expect((await failureOf(fixture.client.exec.run(name, { command: ['true'] }))).code).toBe('CONFLICT');
    await fixture.change(name, 'unfreeze');
    expect(await statusOf(name)).toBe(LXD_STATUS.running);
    await fixture.change(name, 'restart', true);
    expect(await statusOf(name)).toBe(LXD_STATUS.running);
    await fixture.change(name, 'stop');
    expect(await statusOf(name)).toBe(LXD_STATUS.stopped);
    await fixture.remove(name);
  }, 30_000);

  test('a graceful stop that init ignores fails after its time; a forced one meanwhile ends both', async () => {
    const name = await fixture.make();
    await fixture.client.files.delete(name, '/sbin/init');
    const init = "#!/bin/sh\ntrap '' PWR INT TERM\nwhile :; do sleep 1; done\n";
    await fixture.client.files.put(name, '/sbin/init', { content: init, mode: 0o755 });
    await fixture.change(name, 'start');
    await eventually(async () => ((await fixture.client.instances.state(name)).processes > 1 ? true : undefined));
    const stop = (timeoutSeconds: number) => fixture.client.instances.changeState(name, { action: 'stop', timeoutSeconds, force: false });
    const begun = Date.now();
    expect(await failureOf((await stop(1)).wait())).toMatchObject({ code: 'OPERATION_FAILED', details: { reason: 'shutdown-timeout' } });
    expect(Date.now() - begun).toBeGreaterThan(900);
    const graceful = await stop(20);
    await fixture.change(name, 'stop', true);
    await graceful.wait();
    expect(await statusOf(name)).toBe(LXD_STATUS.stopped);
  }, 30_000);

  test('a start tells by its config that it happened', async () => {
    const name = await fixture.make();
    const config = async () => (await fixture.client.instances.get(name)).value.config;
    const { etag } = await fixture.client.instances.get(name);
    await fixture.change(name, 'start');
    expect(await config()).toMatchObject({ 'volatile.last_state.power': 'RUNNING' });
    expect((await config())['volatile.apply_template']).toBeUndefined();
    expect((await failureOf(fixture.client.instances.patchConfig(name, { 'user.a': '1' }, { etag }))).code).toBe('STALE');
    await fixture.change(name, 'stop', true);
    expect(await config()).toMatchObject({ 'volatile.last_state.power': 'STOPPED' });
  }, 30_000);

  test('two starts at once both end well', async () => {
    const name = await fixture.make();
    const [one, two] = await Promise.all([begin(name, 'start'), begin(name, 'start')]);
    const outcomes = await Promise.allSettled([one.wait(), two.wait()]);
    // The second one joins the first, or comes after its end.
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ details: { reason: 'already-running' } });
    }
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect(await statusOf(name)).toBe(LXD_STATUS.running);
  }, 30_000);

  test('an operation under way is listed with its instance, and can be adopted', async () => {
    const name = await fixture.make();
    await fixture.change(name, 'start');
    // A command that runs until it is killed keeps an operation open.
    const session = await fixture.client.exec.open(name, { command: ['sleep', '60'] });
    session.stdout.resume();
    session.stderr.resume();
    const [found] = await eventually(async () => {
      const running = await fixture.client.operations.running({ instance: name });
      return running.length > 0 ? running : undefined;
    });
    expect(found).toMatchObject({ statusCode: 103, instances: [name], description: 'Executing command' });
    expect(await fixture.client.operations.running({ instance: 'nobody' })).toEqual([]);
    const adopted = fixture.client.operations.adopt(found?.id ?? '').wait();
    session.kill();
    expect((await adopted)['return']).toBe(137);
    expect(await session.exitCode).toBe(137);
    expect(await fixture.client.operations.running({ instance: name })).toEqual([]);
  }, 30_000);

  test('waiting is done in slices, can be aborted and has a limit; the operation goes on', async () => {
    const session = await fixture.client.exec.open(fixture.shared, { command: ['sleep', '60'] });
    const [found] = await fixture.client.operations.running({ instance: fixture.shared });
    const operation = fixture.client.operations.adopt(found?.id ?? '');
    const abort = new AbortController();
    const reason = new Error('told to stop');
    const waiting = operation.wait({ signal: abort.signal, onSlice: () => abort.abort(reason) });
    await expect(waiting).rejects.toBe(reason);
    expect(await failureOf(operation.wait({ timeoutMs: 300 }))).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'timeout' } });
    expect(await operation.cancel()).toBe(false);
    expect(await fixture.client.operations.running({ instance: fixture.shared })).toHaveLength(1);
    session.kill();
    await session.exitCode;
  }, 30_000);
}
