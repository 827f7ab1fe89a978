import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { exampleFile, exampleFiles, exampleRelease, sha256Of } from '#libs/testing/example-release.js';
import { checksumFilesOf, completeVersion } from './complete-version.js';
import { checkedFileOf, fileOf } from './item-paths.js';
import { type PlanOptions, planRelease } from './plan-release.js';
import type { ImageRelease, ReleaseFile, Variant } from './types.js';

const TAG = 'debian/v1.0.0';
const HEX = sha256Of('something');
const files = exampleRelease(TAG).files;

const plan = (more: Partial<ImageRelease<string>>, options?: PlanOptions) => planRelease(exampleRelease(TAG, more), options);
const offered = ({ variants }: { variants: readonly Variant<string>[] }) =>
  variants.map(({ architecture, roots }) => `${architecture}: ${roots.map(({ type }) => type).join()}`);
const reasons = ({ leftOut }: ReturnType<typeof planRelease>) =>
  leftOut.map(({ architecture, reason }) => `${architecture ?? '*'}: ${reason}`).join('\n');
const without = (name: string) => files.filter((file) => file.name !== name);
const changed = (name: string, more: Partial<ReleaseFile<string>>) =>
  files.map((file) => (file.name === name ? { ...file, ...more } : file));

describe('a release', () => {
  test('offers its architectures, with the files that must be read', () => {
    const { variants, leftOut } = plan({});
    expect(leftOut).toEqual([]);
    expect(offered({ variants })).toEqual(['amd64: squashfs', 'arm64: squashfs']);
    expect(variants[0]).toMatchObject({ image: 'debian', version: '1.0.0', releaseId: 1, metadata: { name: 'lxd.amd64.tar.xz' } });
    expect(variants.map((variant) => checksumFilesOf(variant).map(({ name }) => name))).toEqual([
      ['rootfs.amd64.squashfs.sha256', 'combined.amd64.sha256'],
      ['rootfs.arm64.squashfs.sha256', 'combined.arm64.sha256'],
    ]);
  });

  test.each<[string, Partial<ImageRelease<string>>, RegExp]>([
    ['a tag of another form', { tag: 'v1.0.0' }, /not of the form/],
    ['bad semver', { tag: 'debian/v1.0' }, /not of the form/],
    ['no files', { files: [] }, /no files of an image/],
    ['other files only', { files: [exampleFile('app.tar.gz')] }, /no files of an image/],
    ['no date', { publishedAt: '' }, /date of publication/],
  ])('is left out as a whole for %s', (_case, more, why) => {
    const planned = plan(more);
    expect(planned).toMatchObject({ variants: [], leftOut: [{ tag: more.tag ?? TAG, reason: expect.stringMatching(why) }] });
  });

  test('marked as prerelease is offered or not by policy; a semver prerelease always is', () => {
    expect(plan({ prerelease: true }).variants).toHaveLength(2);
    expect(plan({ prerelease: true }, { prereleases: 'include' }).variants).toHaveLength(2);
    expect(reasons(plan({ prerelease: true }, { prereleases: 'exclude' }))).toMatch(/^\*: .*prerelease/);
    expect(plan({ tag: 'debian/v1.0.0-1' }, { prereleases: 'exclude' }).variants).toHaveLength(2);
  });

  const broken: [string, readonly ReleaseFile<string>[], string, RegExp][] = [
    ['metadata missing', without('lxd.amd64.tar.xz'), '', /lxd\.amd64\.tar\.xz is missing/],
    ['root missing', without('rootfs.amd64.squashfs'), '', /no root file system/],
    ['checksum missing', without('rootfs.amd64.squashfs.sha256'), '', /no checksum: add rootfs\.amd64\.squashfs\.sha256/],
    ['combined checksum missing', without('combined.amd64.sha256'), '', /add combined\.amd64\.sha256/],
    ['root twice', [...files, exampleFile('rootfs.amd64.squashfs')], '', /2 files called rootfs\.amd64\.squashfs/],
    ['metadata twice', [...files, exampleFile('lxd.amd64.tar.xz')], '', /2 files called lxd\.amd64\.tar\.xz/],
    ['checksum twice', [...files, exampleFile('combined.amd64.sha256')], '', /2 files called combined/],
    ['empty metadata', changed('lxd.amd64.tar.xz', { sizeBytes: 0 }), '', /lxd\.amd64\.tar\.xz is empty/],
    ['empty root', changed('rootfs.amd64.squashfs', { sizeBytes: 0 }), '', /squashfs is empty/],
    ["the store's checksum of another length", changed('rootfs.amd64.squashfs', { sha256: 'abc' }), '', /not 64 hex digits/],
    ['a checksum of another length in the text', files, `${HEX.slice(1)}  rootfs.amd64.squashfs`, /63 digits instead of 64/],
    ['a combined checksum of another length in the text', files, `${HEX}0  combined.amd64`, /65 digits instead of 64/],
    [
      'text and store apart',
      changed('rootfs.amd64.squashfs', { sha256: sha256Of('a') }),
      `${HEX}  rootfs.amd64.squashfs`,
      /is not the file's/,
    ],
    ['two checksums in the text', files, `${HEX}  lxd.amd64.tar.xz\n${sha256Of('a')}  lxd.amd64.tar.xz`, /two different checksums/],
  ];
  test.each(broken)('with %s for one architecture offers the other', (_case, some, body, why) => {
    const planned = plan({ files: some, body });
    expect(offered(planned)).toEqual(['arm64: squashfs']);
    expect(reasons(planned)).toMatch(why);
    expect(planned.leftOut.every(({ tag, architecture }) => tag === TAG && architecture === 'amd64')).toBe(true);
  });

  test('never offers less of one architecture for what another holds, and does not mind the order of files', () => {
    const pool = [
      ...exampleFiles('arm64'),
      exampleFile('disk.arm64.qcow2'),
      exampleFile('rootfs.arm64.from-v0.1.0.vcdiff'),
      exampleFile('lxd.vax.tar.xz'),
      exampleFile('x'),
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pool)), fc.nat(), (others, seed) => {
        const all = [...exampleFiles('amd64'), ...others];
        const [first] = plan({ files: all }).variants;
        expect(first).toEqual(plan({ files: exampleFiles('amd64') }).variants[0]);
        const turned = [...all.slice(seed % all.length), ...all.slice(0, seed % all.length)].reverse();
        const [one, two] = [plan({ files: all }), plan({ files: turned })];
        expect(two).toEqual(one);
      }),
    );
  });

  test('may be of an architecture that LXD does not know, or of one twice: only that is left out', () => {
    const planned = plan({ files: [...files, ...exampleFiles('vax'), ...exampleFiles('x86_64')] });
    expect(offered(planned)).toEqual(['amd64: squashfs', 'arm64: squashfs']);
    expect(reasons(planned)).toBe('vax: LXD knows no architecture vax.\nx86_64: It is the same architecture as amd64, which is offered.');
  });

  test('may hold other roots; one that is broken takes no other with it', () => {
    const more = [
      'rootfs.amd64.tar.xz',
      'rootfs.amd64.tar.xz.sha256',
      'combined.amd64.tar.xz.sha256',
      'disk.amd64.qcow2',
      'disk.amd64.qcow2.sha256',
    ];
    const planned = plan({ files: [...exampleFiles('amd64'), ...more.map((name) => exampleFile(name))] });
    expect(offered(planned)).toEqual(['amd64: squashfs,root.tar.xz']);
    expect(reasons(planned)).toBe('amd64: The sha256 of metadata followed by disk-kvm.img is not known: add combined.amd64.qcow2.sha256.');
  });

  test('with checksums in its text or store needs no file to be read', () => {
    const names = ['lxd.amd64.tar.xz', 'rootfs.amd64.squashfs', 'disk.amd64.qcow2', 'rootfs.amd64.from-v0.9.0.vcdiff'];
    const body = [...names.slice(1), 'combined.amd64', 'combined.amd64.qcow2'].map((name) => `${sha256Of(name)}  ${name}`).join('\r\n');
    const planned = plan({ files: names.map((name) => exampleFile(name, name.startsWith('lxd') ? { sha256: HEX } : {})), body });
    expect(planned.leftOut).toEqual([]);
    expect(planned.variants.flatMap(checksumFilesOf)).toEqual([]);
    expect(planned.variants).toMatchObject([
      {
        metadata: { sha256: HEX },
        roots: [
          {
            type: 'squashfs',
            sha256: sha256Of('rootfs.amd64.squashfs'),
            combinedSha256: sha256Of('combined.amd64'),
            deltas: [{ base: '0.9.0' }],
          },
          { type: 'disk-kvm.img', combinedSha256: sha256Of('combined.amd64.qcow2') },
        ],
      },
    ]);
  });

  test('with a delta that has no checksum is offered without it', () => {
    const planned = plan({ files: [...files, exampleFile('rootfs.amd64.from-v0.9.0.vcdiff')] });
    expect(offered(planned)).toEqual(['amd64: squashfs', 'arm64: squashfs']);
    expect(reasons(planned)).toMatch(/vcdiff has no checksum/);
  });

  test('made for Incus has its metadata under that name', () => {
    const names = files.map((file) => ({ ...file, name: file.name.replace(/^lxd/, 'incus') }));
    expect(plan({ files: names }).variants.map(({ metadata }) => metadata.name)).toEqual(['incus.amd64.tar.xz', 'incus.arm64.tar.xz']);
  });
});

describe('a variant whose files were read', () => {
  const [variant] = plan({
    files: [...files, exampleFile('rootfs.amd64.from-v0.9.0.vcdiff'), exampleFile('rootfs.amd64.from-v0.9.0.vcdiff.sha256')],
  }).variants as [Variant<string>];
  const metadata = { architecture: 'x86_64', creationDate: 1, properties: {} };
  const texts = new Map(checksumFilesOf(variant).map(({ name }) => [name, `${sha256Of(name)}  ${name}\n`]));
  const complete = (more: object = {}) => completeVersion(variant, { metadata, metadataSha256: HEX, checksums: texts, ...more });

  test('has every checksum, and its files by the names in paths', () => {
    const { version, leftOut } = complete();
    expect(leftOut).toEqual([]);
    if (version === undefined) throw new Error('nothing was offered');
    expect(checkedFileOf(version, 'incus.tar.xz')).toMatchObject({ file: { name: 'lxd.amd64.tar.xz' }, sha256: HEX });
    expect(checkedFileOf(version, 'rootfs.squashfs')).toMatchObject({
      file: { name: 'rootfs.amd64.squashfs' },
      sha256: sha256Of('rootfs.amd64.squashfs.sha256'),
    });
    expect(fileOf(variant, 'delta-from-v0.9.0.vcdiff')?.name).toBe('rootfs.amd64.from-v0.9.0.vcdiff');
    for (const name of ['disk.qcow2', 'delta-from-v0.8.0.vcdiff', 'lxd.amd64.tar.xz', '']) expect(fileOf(variant, name)).toBeUndefined();
  });

  test.each([
    ['another architecture', { metadata: { ...metadata, architecture: 'aarch64' } }, /is for the architecture aarch64/],
    ['an unknown architecture', { metadata: { ...metadata, architecture: 'vax' } }, /is for the architecture vax/],
    [
      'an unreadable checksum',
      { checksums: new Map([...texts, ['combined.amd64.sha256', '<html>']]) },
      /combined\.amd64\.sha256: .*64 hex/,
    ],
    ['a checksum that is missing', { checksums: new Map() }, /could not be read/],
  ])('is left out with a reason for %s', (_case, more, why) => {
    const { version, leftOut } = complete(more);
    expect(version).toBeUndefined();
    expect(leftOut[0]).toMatchObject({ tag: TAG, architecture: 'amd64', reason: expect.stringMatching(why) });
  });

  test('loses only the delta whose checksum is broken', () => {
    const { version, leftOut } = complete({ checksums: new Map([...texts, ['rootfs.amd64.from-v0.9.0.vcdiff.sha256', 'x']]) });
    expect(version?.roots).toMatchObject([{ type: 'squashfs', deltas: [] }]);
    expect(leftOut).toHaveLength(1);
  });

  test('is refused when its metadata is not what the checksum says', () => {
    const known = { ...variant, metadata: { ...variant.metadata, sha256: sha256Of('other') } };
    expect(completeVersion(known, { metadata, metadataSha256: HEX, checksums: texts })).toMatchObject({
      leftOut: [{ reason: expect.stringMatching(/not what its checksum says/) }],
    });
  });
});
