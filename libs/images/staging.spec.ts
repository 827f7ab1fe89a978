import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Staging } from './staging.js';

let folder: string;
let staging: Staging;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'staging-'));
  staging = new Staging({ folder: join(folder, 'made-when-needed'), limitBytes: 1_000 });
});
afterEach(() => rm(folder, { recursive: true }));

const receive = (content: Buffer, maxBytes = 500) => staging.receive(Readable.from([content]), { maxBytes });
const uploads = () => readdir(join(folder, 'made-when-needed', 'uploads'));

describe('uploads', () => {
  test('are kept with their digest, and get a second name in the folder of an import', async () => {
    const file = await receive(Buffer.from('abc'));
    expect(file).toMatchObject({ sizeBytes: 3, sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' });
    expect(await staging.useUpload(file.id)).toEqual(file);
    const target = join(await staging.importFolder('image-a', 'op'), 'rootfs');
    await staging.linkUpload(file.id, target);
    await staging.linkUpload(file.id, target);
    expect(await readFile(target, 'utf8')).toBe('abc');
    expect(await staging.usedBytes()).toBeLessThan(300);
    await staging.removeUpload(file.id);
    expect(await staging.useUpload(file.id)).toBeUndefined();
    await expect(staging.linkUpload(file.id, `${target}-2`)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await staging.removeImport('image-a', 'op');
    expect(await staging.usedBytes()).toBe(0);
  });

  test.each([
    ['too large', () => receive(Buffer.alloc(501)), 'INVALID_INPUT'],
    ['empty', () => receive(Buffer.alloc(0)), 'INVALID_INPUT'],
    ['more than the folder may hold', () => receive(Buffer.alloc(1_001), 5_000), 'OPERATION_FAILED'],
  ])('that are %s are refused, and nothing is left', async (_what, send, code) => {
    await expect(send()).rejects.toMatchObject({ code });
    expect(await uploads()).toEqual([]);
  });

  test('that are cut off leave nothing', async () => {
    async function* broken() {
      yield Buffer.from('abc');
      throw new Error('the client has gone');
    }
    await expect(staging.receive(Readable.from(broken()), { maxBytes: 500 })).rejects.toThrow('gone');
    expect(await uploads()).toEqual([]);
  });

  test('that nobody used for a day go, also unfinished ones; use prolongs', async () => {
    const [old, used] = [await receive(Buffer.from('old')), await receive(Buffer.from('used'))];
    const there = join(folder, 'made-when-needed', 'uploads');
    await writeFile(join(there, 'x.part'), 'half');
    const long = new Date(Date.now() - 90_000_000);
    for (const name of await uploads()) await utimes(join(there, name), long, long);
    await staging.useUpload(used.id);
    expect(await staging.sweepUploads()).toBe(3);
    expect((await uploads()).sort()).toEqual([used.id, `${used.id}.json`].sort());
    expect(await staging.useUpload(old.id)).toBeUndefined();
  });

  test.each(['../../etc/passwd', '', 'x'])('%j is no id of one', async (id) => {
    expect(await staging.useUpload(id)).toBeUndefined();
  });
});

test('folders of imports that are over go, those of others stay and count', async () => {
  for (const id of ['open', 'over']) await writeFile(join(await staging.importFolder('image-a', id), 'rootfs'), Buffer.alloc(100));
  expect(await staging.usedBytes()).toBe(200);
  expect(await staging.usedBytes({ name: 'image-a', operationId: 'open' })).toBe(100);
  await staging.sweepImports(async (name, operationId) => name === 'image-a' && operationId === 'open');
  expect(await staging.usedBytes()).toBe(100);
});
