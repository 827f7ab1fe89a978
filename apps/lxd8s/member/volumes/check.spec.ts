import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { lxd8sMemberConfigSchema } from '#libs/config/lxd8s-member.js';
import { checkVolume, type VolumeQuestion } from './check.js';
import { MARKER, readMarker, writeMarker } from './marker.js';
import { parseMounts } from './mounts.js';
import { checkVolumes, noteCluster } from './volumes.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'volume-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const question = (more: Partial<VolumeQuestion> = {}): VolumeQuestion => ({
  folder,
  statefulSet: 'lxd',
  member: 'lxd-1',
  mounts: 'any',
  expects: ['database/global'],
  first: 'allowed',
  timeoutMs: 5_000,
  ...more,
});

/** All that is in it, by content. */
function content(): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const hash = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
  return Object.fromEntries(names.map(({ parentPath, name }) => [join(parentPath, name), hash(join(parentPath, name))]));
}

describe('75: the volume of a member', () => {
  test('an empty one is used, and known from then on', async () => {
    const first = await checkVolume(question());
    expect(first).toMatchObject({ usable: true, use: 'first' });
    writeFileSync(join(folder, 'state'), 'x');
    const again = await checkVolume(question());
    expect(again).toMatchObject({ usable: true, use: 'again' });
    expect(again).toMatchObject({ marker: (first as { marker: unknown }).marker });
    expect(readdirSync(folder).sort()).toEqual([MARKER, 'state']);
  });

  test('a fresh file system, with an empty lost+found, counts as empty', async () => {
    mkdirSync(join(folder, 'lost+found'));
    expect(await checkVolume(question())).toMatchObject({ usable: true, use: 'first' });
  });

  test('a first use that was cut off before the mark was whole is a first use still', async () => {
    writeFileSync(join(folder, `${MARKER}.new`), '{"sch');
    expect(await checkVolume(question())).toMatchObject({ usable: true, use: 'first' });
  });

  test.each<[string, () => void, RegExp]>([
    ['one with something in it and no mark', () => writeFileSync(join(folder, 'disk.img'), 'data'), /not empty \(disk\.img\)/],
    ['one whose repair has found lost files', () => lost(), /not empty \(lost\+found\)/],
    ['one whose mark is damaged', () => writeFileSync(join(folder, MARKER), '\0\0\0'), /cannot be read as the mark/],
    ['one whose mark is of another form', () => writeFileSync(join(folder, MARKER), '{"schema":9}'), /cannot be read as the mark/],
    ['one whose mark is a folder', () => mkdirSync(join(folder, MARKER)), /EISDIR/],
  ])('%s is refused and left as it is', async (_what, make, why) => {
    make();
    const before = content();
    expect(await checkVolume(question())).toEqual({ usable: false, why: expect.stringMatching(why) });
    expect(content()).toEqual(before);
  });

  test('that of another member, or of another StatefulSet, is refused', async () => {
    await checkVolume(question());
    expect(await checkVolume(question({ member: 'lxd-2' }))).toEqual({
      usable: false,
      why: expect.stringContaining('it is that of lxd-1 of lxd'),
    });
    expect(await checkVolume(question({ statefulSet: 'other' }))).toMatchObject({ usable: false });
  });

  test('one of a member of a cluster without its database is refused: that is no first use', async () => {
    const { marker } = (await checkVolume(question())) as { marker: Parameters<typeof writeMarker>[1] };
    await writeMarker(folder, { ...marker, cluster: 'c1' });
    expect(await checkVolume(question())).toEqual({ usable: false, why: expect.stringContaining('database/global of it is gone') });
    mkdirSync(join(folder, 'database', 'global'), { recursive: true });
    expect(await checkVolume(question())).toMatchObject({ usable: true, use: 'again' });
  });

  test('a folder where nothing is mounted is refused, and nothing is written to it', async () => {
    expect(await checkVolume(question({ mounts: 'required' }))).toEqual({
      usable: false,
      why: expect.stringContaining('nothing is mounted there'),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('one that is not there is refused', async () => {
    expect(await checkVolume(question({ folder: join(folder, 'none') }))).toEqual({
      usable: false,
      why: expect.stringContaining('ENOENT'),
    });
  });

  test('an empty one for storage is refused to a member that had another, and so is the wrong one', async () => {
    const [lxd, storage] = [join(folder, 'lxd'), join(folder, 'storage')];
    for (const one of [lxd, storage]) mkdirSync(one);
    const config = lxd8sMemberConfigSchema.parse({
      statefulSet: 'lxd',
      member: 'lxd-1',
      domain: 'lxd.x.svc.cluster.local',
      lxd: { folder: lxd },
      volumes: { storage, mounts: 'any' },
    });
    expect(await checkVolumes(config)).toMatchObject({ usable: true });
    rmSync(storage, { recursive: true });
    mkdirSync(storage);
    expect(await checkVolumes(config)).toEqual({ usable: false, why: expect.stringContaining('this member had another one') });
    expect(readdirSync(storage)).toEqual([]);
    await checkVolume(question({ folder: storage }));
    expect(await checkVolumes(config)).toEqual({ usable: false, why: expect.stringContaining('another one than this member had') });
  });

  test('in which cluster it is, is noted once and kept', async () => {
    const config = lxd8sMemberConfigSchema.parse({
      statefulSet: 'lxd',
      member: 'lxd-1',
      domain: 'x',
      lxd: { folder },
      volumes: { mounts: 'any' },
    });
    const checked = await checkVolumes(config);
    if (!checked.usable) throw new Error(checked.why);
    await noteCluster(config, checked.marker, 'c1');
    expect(await readMarker(folder)).toMatchObject({ uid: checked.marker.uid, cluster: 'c1' });
  });
});

test('mounts are read with spaces in their names', () => {
  const text = '36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n1 2 0:3 / /proc rw - proc proc rw\n';
  expect(parseMounts(text)).toEqual([
    { root: '/mnt1', at: '/mnt 2', type: 'ext3' },
    { root: '/', at: '/proc', type: 'proc' },
  ]);
});

function lost(): void {
  mkdirSync(join(folder, 'lost+found'));
  writeFileSync(join(folder, 'lost+found', '#12'), 'x');
}
