import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { createLogger } from '#libs/logging/logger.js';
import { OwnMember } from '#libs/lxd/own-member.js';
import { KeepPreseed } from './keep-preseed.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'preseed-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('73: the folder of a `dir` pool on the second volume is made; a subvolume of btrfs is LXD’s to make, and what is elsewhere is nobody’s', async () => {
  const [file, storage] = [join(folder, 'preseed.yaml'), join(folder, 'storage')];
  const pool = (name: string, driver: string, source: string) => ({ name, driver, config: { source } });
  const pools = [
    pool('plain', 'dir', join(storage, 'plain')),
    pool('subvolume', 'btrfs', join(storage, 'subvolume')),
    pool('elsewhere', 'dir', join(folder, 'elsewhere')),
  ];
  mkdirSync(storage);
  writeFileSync(file, stringify({ storage_pools: pools }));
  const lxd = new OwnMember({ socket: join(folder, 'nobody'), timeoutMs: 1_000 });
  await new KeepPreseed({ file, storage, lxd, log: createLogger({ name: 'spec', level: 'silent' }) }).ready();
  expect(pools.map(({ config }) => existsSync(config.source))).toEqual([true, false, false]);
});
