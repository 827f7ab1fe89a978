import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createLogger } from '#libs/logging/logger.js';
import { OwnMember } from '#libs/lxd/own-member.js';
import { type LxdDouble, startLxdDouble } from '#libs/testing/lxd-double/index.js';
import { LeftRunning } from './left-running.js';

const log = createLogger({ name: 'spec', level: 'silent' });
const { signal } = new AbortController();
const STOPPED = { status: 'Stopped', config: { 'volatile.last_state.power': 'STOPPED' } } as const;
let folder: string;
let double: LxdDouble;
let lxd: OwnMember;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'left-running-'));
  double = await startLxdDouble();
  lxd = new OwnMember({ socket: double.socket, timeoutMs: 5_000 });
});
afterEach(async () => {
  await lxd.close();
  await double.close();
  rmSync(folder, { recursive: true });
});

/** Of one run of the member; LXD's double calls itself `none`. */
const run = () => new LeftRunning({ folder, member: 'none', log });
const startAgain = (of: LeftRunning) => of.startAgain(lxd.connection, signal);
const statusOf = (name: string) => double.instances.get(name)?.status;

describe('78: what ran when the member was stopped', () => {
  test('runs again, also when LXD has it as stopped; nothing is noted then', async () => {
    double.addInstance('web', STOPPED);
    await run().note(['web']);
    const next = run();
    await startAgain(next);
    expect(statusOf('web')).toBe('Running');
    double.powerOff('web');
    await startAgain(next);
    await startAgain(run());
    expect(statusOf('web')).toBe('Stopped');
  });

  test('but not what did not run, is gone, is not to be started, is elsewhere by now, or LXD starts by itself', async () => {
    double.addInstance('off', STOPPED);
    double.addInstance('never', { ...STOPPED, config: { ...STOPPED.config, 'boot.autostart': 'false' } });
    double.addInstance('moved', { ...STOPPED, location: 'another' });
    double.addInstance('lxds', { ...STOPPED, config: { 'volatile.last_state.power': 'RUNNING' } });
    await run().note(['gone', 'never', 'moved', 'lxds']);
    await startAgain(run());
    expect(['off', 'never', 'moved', 'lxds'].map(statusOf)).toEqual(['Stopped', 'Stopped', 'Stopped', 'Stopped']);
  });

  test('stays noted while LXD cannot be asked, also over a run in which nothing was started', async () => {
    double.addInstance('web', STOPPED);
    double.addInstance('other', STOPPED);
    await run().note(['web']);
    const away = new OwnMember({ socket: join(folder, 'nobody.socket'), timeoutMs: 1_000 });
    const second = run();
    await expect(second.startAgain(away.connection, signal)).rejects.toThrow(/not started again yet.*: web/);
    await away.close();
    await second.note(['other']);
    await startAgain(run());
    expect([statusOf('web'), statusOf('other')]).toEqual(['Running', 'Running']);
  });

  test('a note that is broken hinders nobody', async () => {
    writeFileSync(join(folder, '.webspaces-running.json'), '{');
    await startAgain(run());
    expect(existsSync(join(folder, '.webspaces-running.json'))).toBe(false);
  });
});
