import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createLogger } from '#libs/logging/logger.js';
import { raiseKernelLimits } from './kernel-limits.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sysctl-'));
  mkdirSync(join(folder, 'fs/inotify'), { recursive: true });
  mkdirSync(join(folder, 'kernel/keys'), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const INSTANCES = 'fs/inotify/max_user_instances';
const KEYS = 'kernel/keys/maxkeys';
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const read = (name: string) => readFileSync(join(folder, name), 'utf8');

/** What is said meanwhile. */
function raised(): string {
  const destination = new PassThrough();
  raiseKernelLimits(createLogger({ name: 'spec', level: 'info', destination }), folder);
  return String(destination.read() ?? '');
}

describe('settings of the node that all containers share', () => {
  test('are raised where they are as Debian has them', () => {
    write(INSTANCES, '128\n');
    write(KEYS, '200\n');
    raised();
    expect([read(INSTANCES), read(KEYS)]).toEqual(['1024', '2000']);
  });

  test('are not lowered, and not written when they are enough', () => {
    write(INSTANCES, '1048576\n');
    write(KEYS, '2000\n');
    expect(raised()).toBe('');
    expect([read(INSTANCES), read(KEYS)]).toEqual(['1048576\n', '2000\n']);
  });

  test('that cannot be written are said, with what to do, and hinder nothing else', () => {
    mkdirSync(join(folder, INSTANCES));
    write(KEYS, '200\n');
    expect(raised()).toContain('sysctl -w fs.inotify.max_user_instances=1024');
    expect(read(KEYS)).toBe('2000');
  });
});
