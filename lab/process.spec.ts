import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { LabProcess, PartError } from './process.js';
import { ProcessRecord } from './process-record.js';
import { identityOf, isAlive } from './process-table.js';
import { createProfile, type Profile } from './profile.js';
import { waitFor } from './wait.js';

let folder: string;
let profile: Profile;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lab-process-'));
  const { paths, ...rest } = createProfile({ name: 'spec', index: 9 });
  profile = { ...rest, paths: { ...paths, logs: join(folder, 'logs'), processes: join(folder, 'processes') } };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function sleeper(seconds: string, healthy: () => Promise<boolean> = async () => true): LabProcess {
  return new LabProcess(profile, { name: 'sleeper', spec: () => ({ command: 'sleep', args: [seconds] }), healthy, readyTimeoutMs: 300 });
}

describe('a process of the lab', () => {
  test('is started once, kept while it is well, and started again after kill -9', async () => {
    const part = sleeper('301');
    expect(await part.ensure()).toBe('started');
    const first = part.pid();
    expect(await part.ensure()).toBe('kept');
    expect(part.pid()).toBe(first);
    await part.kill('SIGKILL');
    expect(part.pid()).toBeUndefined();
    expect(await part.ensure()).toBe('started');
    expect(part.pid()).not.toBe(first);
    await part.stop();
  });

  test('is restarted when its arguments changed', async () => {
    await sleeper('302').ensure();
    const changed = sleeper('303');
    expect(await changed.ensure()).toBe('restarted');
    await changed.stop();
  });

  test('replaces one that was started but never recorded', async () => {
    const part = sleeper('304');
    await part.start();
    const lost = identityOf(part.pid() ?? 0);
    rmSync(join(profile.paths.processes, 'sleeper.json'));
    await part.start();
    expect(lost && isAlive(lost)).toBe(false);
    await part.stop();
  });

  test('that ends before it is ready is reported with its log', async () => {
    const part = new LabProcess(profile, {
      name: 'short',
      spec: () => ({ command: 'sh', args: ['-c', 'echo cannot open the door; exit 1'] }),
      healthy: async () => false,
      readyTimeoutMs: 5_000,
    });
    await expect(part.start()).rejects.toThrow(PartError);
    expect(part.lastLogLines(5)).toBe('cannot open the door');
  });

  test('that never answers is reported after its deadline', async () => {
    const part = sleeper('305', async () => false);
    await expect(part.start()).rejects.toThrow(/not ready within 0.3 s/);
    await part.stop();
  });
});

describe('the record of a process', () => {
  test('never signals another process that got the same pid', async () => {
    const innocent = spawn('sleep', ['306']);
    try {
      const identity = identityOf(innocent.pid ?? 0);
      const record = ProcessRecord.of(profile, 'reused');
      expect(record.write(innocent.pid ?? 0, '')).toBe(true);
      const file = join(profile.paths.processes, 'reused.json');
      const written = JSON.parse(readFileSync(file, 'utf8')) as { startTicks: number };
      writeFileSync(file, JSON.stringify({ ...written, startTicks: written.startTicks - 1 }));
      expect(await record.end('SIGKILL', { patienceMs: 100 })).toBe(false);
      expect(identity && isAlive(identity)).toBe(true);
    } finally {
      innocent.kill('SIGKILL');
    }
  });

  test('is alive while threads of a killed process are', async () => {
    // The first thread ends alone: the process shows as a zombie, and its other thread goes on.
    const script =
      'import ctypes, threading, time; threading.Thread(target=time.sleep, args=(307,)).start(); ctypes.CDLL(None).pthread_exit(None)';
    const threaded = spawn('python3', ['-c', script]);
    const ended = once(threaded, 'exit');
    const pid = threaded.pid ?? 0;
    await waitFor('the zombie', () => /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')), {
      timeoutMs: 5_000,
      intervalMs: 10,
    });
    const identity = identityOf(pid);
    expect(identity?.pid).toBe(pid);
    threaded.kill('SIGKILL');
    await ended;
    expect(identity && isAlive(identity)).toBe(false);
  });

  test('of another boot is not alive', () => {
    const identity = identityOf(process.pid);
    expect(identity && isAlive({ ...identity, bootId: 'another' })).toBe(false);
  });
});
