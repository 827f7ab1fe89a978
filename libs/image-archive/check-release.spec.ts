import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { checkRelease } from './check-release.js';

const base = mkdtempSync(join(tmpdir(), 'release-'));
let count = 0;
let folder = '';

afterAll(() => rmSync(base, { recursive: true }));
beforeEach(() => {
  folder = join(base, String(count++));
  mkdirSync(folder);
});

const at = (name: string): string => join(folder, name);
const put = (name: string, content: string | Buffer): void => writeFileSync(at(name), content);
const sha = (...names: string[]): string =>
  names.reduce((hash, name) => hash.update(readFileSync(at(name))), createHash('sha256')).digest('hex');

function putMetadata(architecture: string, named = architecture): void {
  const source = join(base, `source-${count++}`);
  mkdirSync(source);
  writeFileSync(
    join(source, 'metadata.yaml'),
    `architecture: ${named}\ncreation_date: 1700000000\nproperties: {os: debian, release: bookworm}\n`,
  );
  execFileSync('tar', ['-C', source, '-cJf', at(`lxd.${architecture}.tar.xz`), 'metadata.yaml']);
}

function putRoot(
  architecture: string,
  { name = `rootfs.${architecture}.squashfs`, beginning = 'hsqs' as string | Buffer, combined = `combined.${architecture}.sha256` } = {},
): void {
  put(name, Buffer.concat([Buffer.from(beginning as string), Buffer.alloc(5000, architecture)]));
  put(`${name}.sha256`, `${sha(name)}  ${name}\n`);
  put(combined, `${sha(`lxd.${architecture}.tar.xz`, name)}  -\n`);
}

/** Two architectures as the publishing workflow makes them. */
function putRelease(): void {
  for (const [architecture, named] of [
    ['amd64', 'x86_64'],
    ['arm64', 'aarch64'],
  ] as const) {
    putMetadata(architecture, named);
    putRoot(architecture);
  }
}

describe('a release in a folder', () => {
  test('that is complete has no problem and says what is there', async () => {
    putRelease();
    put('amd64-notes.txt', 'hello');
    const { architectures, problems, unused } = await checkRelease(folder);
    expect(problems).toEqual([]);
    expect(unused).toEqual(['amd64-notes.txt']);
    expect([...architectures.keys()]).toEqual(['amd64', 'arm64']);
    expect(architectures.get('amd64')?.join()).toMatch(
      /debian bookworm, created 2023-11-14T22:13:20.*rootfs\.amd64\.squashfs \(squashfs, 5004 bytes\)/,
    );
  });

  test('may have other roots, disks and deltas', async () => {
    putMetadata('amd64', 'amd64');
    putRoot('amd64');
    putRoot('amd64', {
      name: 'rootfs.amd64.tar.xz',
      beginning: Buffer.from('fd377a585a00', 'hex'),
      combined: 'combined.amd64.tar.xz.sha256',
    });
    putRoot('amd64', { name: 'disk.amd64.qcow2', beginning: Buffer.from('514649fb', 'hex'), combined: 'combined.amd64.qcow2.sha256' });
    put('rootfs.amd64.from-v1.0.0.vcdiff', Buffer.from('d6c3c400', 'hex'));
    put('rootfs.amd64.from-v1.0.0.vcdiff.sha256', sha('rootfs.amd64.from-v1.0.0.vcdiff'));
    const { architectures, problems } = await checkRelease(folder);
    expect(problems).toEqual([]);
    expect(architectures.get('amd64')).toHaveLength(4);
    expect(architectures.get('amd64')?.join()).toContain('deltas from v1.0.0');
  });

  const other = 'f'.repeat(64);
  test.each<[string, () => void, RegExp]>([
    [
      'a changed root',
      () => put('rootfs.amd64.squashfs', 'hsqs changed'),
      /rootfs\.amd64\.squashfs\.sha256 says .*sha256sum rootfs\.amd64\.squashfs > rootfs/,
    ],
    [
      'a wrong combined checksum',
      () => put('combined.amd64.sha256', other),
      /combined\.amd64\.sha256 says f{64}.*cat lxd\.amd64\.tar\.xz rootfs\.amd64\.squashfs \| sha256sum > combined/,
    ],
    ['a wrong checksum of the metadata', () => put('lxd.amd64.tar.xz.sha256', other), /lxd\.amd64\.tar\.xz\.sha256 says/],
    ['a short checksum', () => put('rootfs.amd64.squashfs.sha256', 'abcd'), /rootfs\.amd64\.squashfs\.sha256: .*64 hex digits/],
    ['no checksum', () => rmSync(at('rootfs.amd64.squashfs.sha256')), /amd64: .*no checksum: add rootfs\.amd64\.squashfs\.sha256/],
    ['no combined checksum', () => rmSync(at('combined.amd64.sha256')), /amd64: .*add combined\.amd64\.sha256/],
    ['no root', () => rmSync(at('rootfs.amd64.squashfs')), /amd64: It has no root file system/],
    ['no metadata', () => rmSync(at('lxd.amd64.tar.xz')), /amd64: lxd\.amd64\.tar\.xz is missing/],
    ['an empty root', () => put('rootfs.amd64.squashfs', ''), /is empty/],
    ['metadata that is no archive', () => put('lxd.amd64.tar.xz', 'hello'), /lxd\.amd64\.tar\.xz: .*xz cannot unpack.*Build it again/],
    ['metadata of another architecture', () => putMetadata('amd64', 'aarch64'), /is for the architecture aarch64/],
    ['a root of another form', () => put('rootfs.amd64.squashfs', 'PK'), /rootfs\.amd64\.squashfs is not a squashfs/],
    ['a disk that is none', () => put('disk.amd64.qcow2', 'raw'), /disk\.amd64\.qcow2 is not a qcow2 disk/],
    ['a file of 2 GiB', () => truncateSync(at('rootfs.amd64.squashfs'), 2 ** 31), /has 2147483648 bytes; GitHub takes files below 2 GiB/],
    ['an unknown architecture', () => put('rootfs.vax.squashfs', 'hsqs'), /vax: LXD knows no architecture vax/],
  ])('with %s has a problem that says what to do, and the other architecture has none', async (_case, spoil, problem) => {
    putRelease();
    spoil();
    const { architectures, problems } = await checkRelease(folder);
    expect(problems.join('\n')).toMatch(problem);
    expect(problems.join('\n')).not.toContain('arm64');
    expect([...architectures.keys()]).toContain('arm64');
  });

  test('that is empty is a problem, and a folder that is not there an error', async () => {
    expect((await checkRelease(folder)).problems.join()).toMatch(/no files of an image/);
    await expect(checkRelease(at('nothing'))).rejects.toThrow('ENOENT');
  });
});

describe('the program (on what `npm run build` made)', () => {
  const run = (...args: string[]) => spawnSync('node', ['tools/webspaces.mjs', ...args], { encoding: 'utf8' });

  test('ends with 0 for a good folder, 1 with every problem for a broken one, and 2 when it is called wrongly', () => {
    putRelease();
    const good = run('images', 'check', folder);
    expect(good.stderr).toBe('');
    expect(good.stdout).toMatch(/^amd64\n {2}lxd\.amd64\.tar\.xz .*\narm64\n.*ok: this can be published\n$/s);
    expect(good.status).toBe(0);

    put('combined.amd64.sha256', 'f'.repeat(64));
    rmSync(at('lxd.arm64.tar.xz'));
    const broken = run('images', 'check', folder);
    expect(broken.stdout).toMatch(/PROBLEM arm64: .*\nPROBLEM combined\.amd64.*\n2 problems\n$/s);
    expect(broken.status).toBe(1);

    expect(run('images', 'check', at('nothing'))).toMatchObject({ status: 2, stderr: expect.stringContaining('cannot be read') });
    expect(run('images')).toMatchObject({ status: 2, stderr: expect.stringContaining('Usage') });
  });
});
