import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { kernelArchitecture } from './architectures.js';
import { parseAssetName } from './asset-names.js';
import { parseChecksum, parseChecksumBlock } from './checksums.js';
import { itemPath, parseItemPath } from './item-paths.js';
import { serialsOf } from './serials.js';
import { compareVersions, parseTag } from './tags.js';

const HEX = '0123456789abcdef'.repeat(4);

describe('a tag', () => {
  test.each([
    ['wordpress/v5.8.0-1', 'wordpress', '5.8.0-1'],
    ['debian/12/php/v1.0.0+build.5', 'debian/12/php', '1.0.0+build.5'],
    ['a.b_c-d/v0.0.0', 'a.b_c-d', '0.0.0'],
  ])('names image and version: %s', (tag, image, version) => {
    expect(parseTag(tag)).toEqual({ image, version });
  });

  test.each([
    'v1.0.0',
    'wordpress/1.0.0',
    'wordpress/v1.0',
    'wordpress/v01.0.0',
    'wordpress/vv1.0.0',
    'wordpress/v=1.0.0',
    'wordpress/v 1.0.0',
    'wordpress/v1.0.0\n',
    'wordpress/v1.0.0-01',
    '/v1.0.0',
    'a//b/v1.0.0',
    '../b/v1.0.0',
    'a/../v1.0.0',
    'A/v1.0.0',
    'a,b/v1.0.0',
    'a:b/v1.0.0',
    'a/v1.0.0/',
    `${'a'.repeat(300)}/v1.0.0`,
    '',
  ])('of another form is none: %j', (tag) => {
    expect(parseTag(tag)).toBeUndefined();
  });

  test('orders versions as semver does, build metadata and text last, so that no two are equal', () => {
    const order = ['1.0.0-2', '1.0.0-10', '1.0.0-rc.1', '1.0.0', '1.0.0+1', '1.0.0+2', '1.9.0', '1.10.0'];
    expect([...order].reverse().sort(compareVersions)).toEqual(order);
  });
});

test.each([
  ['lxd.amd64.tar.xz', { kind: 'metadata', architecture: 'amd64', brand: 'lxd' }],
  ['incus.x86_64.tar.xz', { kind: 'metadata', architecture: 'x86_64', brand: 'incus' }],
  ['rootfs.arm64.squashfs', { kind: 'root', architecture: 'arm64', type: 'squashfs' }],
  ['rootfs.arm64.tar.xz', { kind: 'root', architecture: 'arm64', type: 'root.tar.xz' }],
  ['disk.amd64.qcow2', { kind: 'root', architecture: 'amd64', type: 'disk-kvm.img' }],
  ['rootfs.amd64.from-v1.0.0-1.vcdiff', { kind: 'delta', architecture: 'amd64', type: 'squashfs', base: '1.0.0-1' }],
  ['disk.amd64.from-v1.0.0.vcdiff', { kind: 'delta', architecture: 'amd64', type: 'disk-kvm.img', base: '1.0.0' }],
  ['rootfs.amd64.from-v1.0.vcdiff', undefined],
  ['rootfs.amd64.squashfs.sha256', undefined],
  ['rootfs.a.b.squashfs', undefined],
  ['rootfs..squashfs', undefined],
  ['ROOTFS.amd64.squashfs', undefined],
])('the asset %s is known by its name', (name, is) => {
  expect(parseAssetName(name)).toEqual(is);
});

test('architectures have the names of LXD', () => {
  expect(['amd64', 'x86_64', 'arm64', 'armhf', 'ppc64el', 'i386'].map(kernelArchitecture)).toEqual([
    'x86_64',
    'x86_64',
    'aarch64',
    'armv7l',
    'ppc64le',
    'i686',
  ]);
  expect(['vax', '', 'constructor', '__proto__'].map(kernelArchitecture)).toEqual([undefined, undefined, undefined, undefined]);
});

describe('a checksum', () => {
  test.each([HEX, `${HEX}\n`, `${HEX}  rootfs.squashfs\n`, `${HEX.toUpperCase()} *x`, ` ${HEX}`, `\\${HEX}  odd\\nname`])(
    'is read: %j',
    (text) => {
      expect(parseChecksum(text)).toBe(HEX);
    },
  );

  test.each(['', '<html>', HEX.slice(1), `${HEX}0`, `${HEX}g`, `sha256:${HEX}`])('of another length or form is refused: %j', (text) => {
    expect(() => parseChecksum(text)).toThrow(/64 hex digits/);
  });

  test('is found in the text of a release, whatever else stands there', () => {
    const other = 'f'.repeat(64);
    const { sums, problems } = parseChecksumBlock(
      `# Hello\r\n\r\n\`\`\`\r\n${HEX}  rootfs.amd64.squashfs\r\n${other} *combined.amd64\r\n\`\`\`\n- \`${HEX}  a+b.x\`\nfixes deadbeef now\n${HEX} two  words\nabcdefabcdefabcdef  short\n${HEX}  twice\n${other}  twice\n`,
    );
    expect([...sums]).toEqual([
      ['rootfs.amd64.squashfs', HEX],
      ['combined.amd64', other],
      ['a+b.x', HEX],
      ['twice', HEX],
    ]);
    expect([...problems.keys()]).toEqual(['short', 'twice']);
  });
});

describe('a path of an item', () => {
  const segment = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,8}$/);
  const version = fc.tuple(fc.nat(99), fc.nat(99), fc.constantFrom('', '-1', '+x', '-rc.1+b')).map(([a, b, end]) => `${a}.${b}.0${end}`);

  test('comes back as what it was made of', () => {
    const path = fc.record({
      image: fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
      architecture: fc.constantFrom('amd64', 'x86_64', 'arm64'),
      version,
      file: fc.constantFrom('lxd.tar.xz', 'rootfs.squashfs', 'delta-from-v1.0.0-1+b.vcdiff'),
    });
    fc.assert(fc.property(path, (parts) => expect(parseItemPath(itemPath(parts))).toEqual(parts)));
  });

  test.each([
    'images/a/amd64/v1.0/lxd.tar.xz',
    'images/../a/amd64/v1.0.0/x',
    'images/a/vax/v1.0.0/x',
    '/images/a/amd64/v1.0.0/x',
    'images/a/amd64/v1.0.0/',
    'images/a/amd64/v1.0.0/../x',
    'streams/v1/index.json',
  ])('of another form is none: %s', (path) => expect(parseItemPath(path)).toBeUndefined());

  test('and the serials of a product sort as its versions do within a day, and by day before that', () => {
    const created = fc.uniqueArray(fc.tuple(version, fc.integer({ min: 0, max: 5 })), { selector: ([text]) => text, maxLength: 30 });
    fc.assert(
      fc.property(created, (list) => {
        const serials = serialsOf(new Map(list.map(([text, day]) => [text, day * 86_400 + 86_399])));
        const expected = [...list].sort(([a, dayA], [b, dayB]) => dayA - dayB || compareVersions(a, b)).map(([text]) => serials.get(text));
        expect([...serials.values()].sort()).toEqual(expected);
        for (const [text, serial] of serials) expect(serial).toMatch(new RegExp(`^197001\\d\\d_(\\d+_)?v${text.replaceAll('+', '\\+')}$`));
      }),
    );
  });

  test('days are in UTC, and the plain form is kept where it sorts', () => {
    expect(
      serialsOf(
        new Map([
          ['1.0.0', 86_399],
          ['1.1.0', 86_400],
        ]),
      ),
    ).toEqual(
      new Map([
        ['1.0.0', '19700101_v1.0.0'],
        ['1.1.0', '19700102_v1.1.0'],
      ]),
    );
    expect([
      ...serialsOf(
        new Map([
          ['1.10.0', 0],
          ['1.9.0', 1],
        ]),
      ).values(),
    ]).toEqual(['19700101_1_v1.9.0', '19700101_2_v1.10.0']);
  });
});
