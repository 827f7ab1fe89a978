import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { holdVolume, LOCK } from './hold.js';

let folder: string;
let other: ChildProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hold-'));
});
afterEach(() => {
  other?.kill('SIGKILL');
  other = undefined;
  rmSync(folder, { recursive: true, force: true });
});

test('a volume that another process has is refused until that ends, however it does', async () => {
  other = spawn('flock', ['--no-fork', join(folder, LOCK), 'sh', '-c', 'echo held; exec sleep 30'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (other.stdout) await once(other.stdout, 'data');
  await expect(holdVolume(folder)).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('another process') });
  const ended = once(other, 'exit');
  other.kill('SIGKILL');
  await ended;
  const release = await held();
  await expect(holdVolume(folder)).rejects.toMatchObject({ code: 'CONFLICT' });
  release();
  (await held())();
});

const held = () => waitFor('the volume to be free', () => holdVolume(folder), { timeoutMs: 5_000 });

test('one that is not there is refused, and said', async () => {
  await expect(holdVolume(join(folder, 'none'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
