import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { lxd8sMemberConfigSchema } from '#libs/config/lxd8s-member.js';
import { checkVolumes, noteCluster } from '../../volumes/volumes.js';
import { DISK, ensureDisk, ensureStorageDisk, keepDisk } from './disks.js';

const MIB = 2 ** 20;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'disks-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('75: the disk of a machine', () => {
  test('is to be formatted only when it was made this moment, and never again once it was used', async () => {
    const first = await ensureDisk(folder, 8 * MIB);
    expect(first).toMatchObject({ state: 'new' });
    expect(statSync(first.file)).toMatchObject({ size: 8 * MIB });
    await keepDisk(first);
    expect(await ensureDisk(folder, 8 * MIB)).toEqual({ file: join(folder, DISK), state: 'used' });
    expect(existsSync(first.file)).toBe(false);
  });

  test('that looks empty is one in use all the same', async () => {
    writeFileSync(join(folder, DISK), Buffer.alloc(MIB));
    expect(await ensureDisk(folder, MIB)).toMatchObject({ state: 'used' });
  });

  test('of a first use that was cut off is made anew', async () => {
    const first = await ensureDisk(folder, MIB);
    writeFileSync(first.file, 'half of a file system', { flag: 'r+' });
    const again = await ensureDisk(folder, MIB);
    expect(again).toEqual(first);
    expect(readFileSync(again.file).every((byte) => byte === 0)).toBe(true);
  });

  test('grows, keeps what is on it, and is never made smaller', async () => {
    writeFileSync(join(folder, DISK), 'data');
    truncateSync(join(folder, DISK), 4 * MIB);
    await ensureDisk(folder, 6 * MIB);
    await ensureDisk(folder, 2 * MIB);
    const kept = readFileSync(join(folder, DISK));
    expect([kept.length, kept.subarray(0, 4).toString()]).toEqual([6 * MIB, 'data']);
  });

  test('for storage is made once', async () => {
    const file = await ensureStorageDisk(folder, MIB);
    writeFileSync(file, 'pool', { flag: 'r+' });
    expect(await ensureStorageDisk(folder, MIB)).toBe(file);
    expect(readFileSync(file).subarray(0, 4).toString()).toBe('pool');
  });

  test('on a volume that is not there is refused', async () => {
    await expect(ensureDisk(join(folder, 'none'), MIB)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test('75: the volume of a member of a cluster without its disk is refused: that is no first use', async () => {
  const config = lxd8sMemberConfigSchema.parse({
    ...{ statefulSet: 'lxd', member: 'lxd-0', domain: 'x', runtime: 'vm', lxd: { folder }, volumes: { mounts: 'any' } },
  });
  const first = await checkVolumes(config);
  if (!first.usable) throw new Error(first.why);
  await keepDisk(await ensureDisk(folder, MIB));
  await noteCluster(config, first.marker, 'c1');
  expect(await checkVolumes(config)).toMatchObject({ usable: true });
  rmSync(join(folder, DISK));
  expect(await checkVolumes(config)).toEqual({ usable: false, why: expect.stringContaining('disk.img of it is gone') });
});
