import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createLogger } from '#libs/logging/logger.js';
import { OwnMember } from '#libs/lxd/own-member.js';
import { eventually } from '#libs/testing/eventually.js';
import { type LxdDouble, startLxdDouble } from '#libs/testing/lxd-double/index.js';
import { LeftRunning } from './left-running.js';

const log = createLogger({ name: 'spec', level: 'silent' });
const STOPPED = { status: 'Stopped', config: { 'volatile.last_state.power': 'STOPPED' } } as const;
let folder: string;
let double: LxdDouble;
let lxd: OwnMember;
let stopping: AbortController;
let told: (string | undefined)[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'left-running-'));
  double = await startLxdDouble();
  stopping = new AbortController();
  told = [];
  lxd = new OwnMember({ socket: double.socket, timeoutMs: 5_000 });
});
afterEach(async () => {
  stopping.abort();
  await lxd.close();
  await double.close();
  rmSync(folder, { recursive: true });
});

/** Of one run of the member; LXD's double calls itself `none`. */
const run = () => new LeftRunning({ folder, member: 'none', log, againMs: 20 });
const begin = (of: LeftRunning, of_ = lxd) => of.startAgain({ lxd: of_.connection, tell: (why) => void told.push(why) }, stopping.signal);
/** Until nothing is left. */
async function startAgain(of: LeftRunning): Promise<void> {
  told = [];
  begin(of);
  await eventually(() => (told.length > 0 && told.at(-1) === undefined ? true : undefined));
}
const statusOf = (name: string) => double.instances.get(name)?.status;
const noteFile = () => join(folder, '.webspaces-running.json');

describe('78: what ran when the member was stopped', () => {
  test('runs again, also when LXD has it as stopped; nothing is noted then', async () => {
    double.addInstance('web', STOPPED);
    await run().note(['web']);
    const next = run();
    await startAgain(next);
    expect([statusOf('web'), existsSync(noteFile())]).toEqual(['Running', false]);
    double.powerOff('web');
    begin(next);
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
    begin(second, away);
    await eventually(() => told[1]);
    expect(told).not.toContain(undefined);
    stopping.abort();
    await second.note(['other']);
    await away.close();
    stopping = new AbortController();
    await startAgain(run());
    expect([statusOf('web'), statusOf('other')]).toEqual(['Running', 'Running']);
  });

  test('one that cannot be started hinders no other, and is tried again unless somebody has started it meanwhile', async () => {
    for (const name of ['stuck', 'used', 'web']) double.addInstance(name, STOPPED);
    await run().note(['stuck', 'used', 'web']);
    double.faults.answer(500, 'Failed to unmount: device or resource busy', { match: /PUT .*(?:stuck|used)\/state/ });
    begin(run());
    await eventually(() => told[0]);
    expect(told[0]).toMatch(/not started again yet.*: stuck, used\. .*resource busy/);
    expect(statusOf('web')).toBe('Running');
    double.addInstance('used', { ...STOPPED, lastUsedAt: '2026-01-01T00:00:00Z' });
    double.faults.clear();
    await eventually(() => (told.at(-1) === undefined ? true : undefined));
    expect([statusOf('stuck'), statusOf('used')]).toEqual(['Running', 'Stopped']);
  });

  test('a note that is broken hinders nobody', async () => {
    writeFileSync(noteFile(), '{');
    await startAgain(run());
    expect(existsSync(noteFile())).toBe(false);
  });
});
