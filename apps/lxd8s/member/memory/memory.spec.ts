import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { membersShortOfMemory, memoryKeyOf } from '#libs/domain/memory.js';
import { createLogger } from '#libs/logging/logger.js';
import { measure, podLimits } from './measure.js';
import { TellMemory } from './tell-memory.js';

const MIB = 1024 * 1024;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'memory-'));
  write('meminfo', `MemTotal:       ${8 * 1024 * 1024} kB\nMemFree: 5 kB\nMemAvailable:   ${2 * 1024 * 1024} kB\n`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, content: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
}
const measured = () => measure({ cgroup: join(folder, 'cgroup'), meminfo: join(folder, 'meminfo') });

describe('79: the memory of a member', () => {
  test("is the machine's where the pod has no limit", () => {
    expect(measured()).toEqual({ limitBytes: 8192 * MIB, freeBytes: 2048 * MIB });
    write('cgroup/memory.max', 'max\n');
    write('cgroup/memory.current', '1\n');
    expect(measured()).toMatchObject({ limitBytes: 8192 * MIB });
  });

  test.each([
    ['1', 'cgroup/memory/memory.limit_in_bytes', 'cgroup/memory/memory.usage_in_bytes', 'cgroup/memory/memory.stat', 'total_inactive_file'],
    ['2', 'cgroup/memory.max', 'cgroup/memory.current', 'cgroup/memory.stat', 'inactive_file'],
  ])("is the pod's limit in version %s, and what the kernel can take back is free", (_version, limit, usage, stat, key) => {
    write(limit, `${1024 * MIB}\n`);
    write(usage, `${900 * MIB}\n`);
    write(stat, `anon 1\n${key} ${300 * MIB}\nother 2\n`);
    expect(measured()).toEqual({ limitBytes: 1024 * MIB, freeBytes: 424 * MIB });
  });

  test("is never freer than the machine's, whatever the pod may use", () => {
    write('cgroup/memory.max', `${4096 * MIB}\n`);
    write('cgroup/memory.current', `${MIB}\n`);
    expect(measured()).toEqual({ limitBytes: 4096 * MIB, freeBytes: 2048 * MIB });
  });
});

describe('74: the limits of a pod', () => {
  const limits = () => podLimits({ cgroup: join(folder, 'cgroup'), meminfo: join(folder, 'meminfo') });

  test.each([
    [
      '1',
      {
        'memory/memory.limit_in_bytes': `${512 * MIB}`,
        'memory/memory.usage_in_bytes': '1',
        'cpu/cpu.cfs_quota_us': '150000',
        'cpu/cpu.cfs_period_us': '100000',
      },
    ],
    ['2', { 'memory.max': `${512 * MIB}`, 'memory.current': '1', 'cpu.max': '150000 100000' }],
  ])('are read in version %s', (_version, files) => {
    for (const [name, content] of Object.entries(files)) write(`cgroup/${name}`, `${content}\n`);
    expect(limits()).toEqual({ memoryBytes: 512 * MIB, cpus: 1.5 });
  });

  test.each([
    [
      '1',
      {
        'memory/memory.limit_in_bytes': '9223372036854771712',
        'memory/memory.usage_in_bytes': '1',
        'cpu/cpu.cfs_quota_us': '-1',
        'cpu/cpu.cfs_period_us': '100000',
      },
    ],
    ['2', { 'memory.max': 'max', 'memory.current': '1', 'cpu.max': 'max 100000' }],
    ['none', {}],
  ])('that it has not are none in version %s, and not those of the machine', (_version, files) => {
    for (const [name, content] of Object.entries(files)) write(`cgroup/${name}`, `${content}\n`);
    expect(limits()).toEqual({});
  });
});

describe('79: a member whose memory is short', () => {
  let free: number;
  let time: number;
  let said: string[];
  let fails: boolean;
  let tell: TellMemory;
  beforeEach(() => {
    [free, time, said, fails] = [100, Date.parse('2026-01-01T00:00:00Z'), [], false];
    tell = new TellMemory({
      member: 'lxd-1',
      minFreeBytes: 50,
      log: createLogger({ name: 'spec', level: 'silent' }),
      read: () => ({ limitBytes: 1000, freeBytes: free }),
      now: () => time,
      lxd: {
        configure: async (config) => {
          if (fails) throw new Error('away');
          said.push(config[memoryKeyOf('lxd-1')] ?? '?');
        },
      },
    });
  });
  const look = () => tell.look(new AbortController().signal);

  test('says so at the second look, not at the first, and takes it back at once', async () => {
    await look();
    free = 49;
    await look();
    expect(said).toEqual(['']);
    await look();
    expect(said).toEqual(['', '2026-01-01T00:00:00.000Z']);
    expect(tell.view()).toEqual({ limitBytes: 1000, freeBytes: 49, short: true });
    free = 50;
    await look();
    expect(said.at(-1)).toBe('');
  });

  test('says it again from time to time, and nothing in between', async () => {
    free = 1;
    for (let looks = 0; looks < 5; looks += 1) await look();
    expect(said).toEqual(['', '2026-01-01T00:00:00.000Z']);
    time += 60_000;
    await look();
    expect(said.at(-1)).toBe('2026-01-01T00:01:00.000Z');
  });

  test('says at the next look what LXD would not take', async () => {
    fails = true;
    await expect(look()).rejects.toThrow('away');
    fails = false;
    await look();
    expect(said).toEqual(['']);
  });

  test('counts only while its word is fresh', () => {
    const at = new Date(time).toISOString();
    const config = { [memoryKeyOf('lxd-1')]: at, [memoryKeyOf('lxd-0')]: 'nonsense', 'images.auto_update_interval': '0' };
    expect(membersShortOfMemory(config, time + 180_000)).toEqual(['lxd-1']);
    expect(membersShortOfMemory(config, time + 180_001)).toEqual([]);
  });
});
