import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type ExampleVersion, exampleFile, exampleRoot, exampleVersion, sha256Of } from '#libs/testing/example-release.js';
import { findImage } from './find-image.js';
import { checkedFileOf, parseItemPath } from './item-paths.js';
import { parseIndex, parseProducts } from './read-streams.js';
import { renderStreams } from './render.js';
import { compareVersions } from './tags.js';
import type { ImageVersion } from './types.js';

const read = (given: readonly ImageVersion<string>[]) => {
  const { index, images, ...rest } = renderStreams(given);
  return { index: JSON.parse(index.toString()), images: JSON.parse(images.toString()), ...rest };
};

test('a version has every field that LXD and Incus read', () => {
  const delta = { file: exampleFile('rootfs.amd64.from-v5.8.0-1.vcdiff'), base: '5.8.0-1', sha256: sha256Of('delta') };
  const first = exampleVersion({ image: 'wordpress', version: '5.8.0-1', creationDate: 1_627_862_399 });
  const second = exampleVersion({
    image: 'wordpress',
    version: '5.8.0-2',
    creationDate: 1_627_862_400,
    expiryDate: 1_640_995_199,
    publishedAt: '2021-08-02T10:00:00+02:00',
    properties: {
      os: 'ubuntu',
      release: 'focal',
      version: '20.04',
      variant: 'default',
      description: 'WordPress 5.8',
      'requirements.secureboot': 'false',
      'requirements.nesting': 'true',
    },
    roots: [
      exampleRoot('2', { deltas: [delta] }),
      exampleRoot('3', { type: 'root.tar.xz' }),
      exampleRoot('4', { type: 'disk-kvm.img', file: exampleFile('disk.amd64.qcow2', { sizeBytes: 7 }) }),
    ],
  });
  const { index, images, updated, leftOut } = read([
    second,
    { ...first, variant: { ...first.variant, publishedAt: '2021-08-01T00:00:00Z' } },
  ]);
  expect({ updated, leftOut }).toEqual({ updated: '2021-08-02T08:00:00.000Z', leftOut: [] });
  const stamp = 'Mon, 02 Aug 2021 08:00:00 +0000';
  const products = ['wordpress:amd64'];
  expect(index).toEqual({
    format: 'index:1.0',
    index: { images: { datatype: 'image-downloads', format: 'products:1.0', path: 'streams/v1/images.json', products, updated: stamp } },
    updated: stamp,
  });
  const requirements = { nesting: 'true', secureboot: 'false' };
  const path = 'images/wordpress/amd64/v5.8.0-2';
  const metadata = {
    sha256: second.metadataSha256,
    size: 16,
    combined_squashfs_sha256: sha256Of('combined 2'),
    combined_rootxz_sha256: sha256Of('combined 3'),
    'combined_disk-kvm-img_sha256': sha256Of('combined 4'),
  };
  expect(images).toMatchObject({ content_id: 'images', datatype: 'image-downloads', format: 'products:1.0', updated: stamp });
  expect(images.products['wordpress:amd64']).toEqual({
    aliases: 'wordpress',
    arch: 'amd64',
    os: 'ubuntu',
    release: 'focal',
    release_title: 'focal',
    version: '20.04',
    variant: 'default',
    support_eol: '2021-12-31',
    requirements,
    lxd_requirements: requirements,
    versions: {
      '20210801_v5.8.0-1': { items: expect.anything() },
      '20210802_v5.8.0-2': {
        label: 'WordPress 5.8',
        items: {
          'lxd.tar.xz': { ftype: 'lxd.tar.xz', path: `${path}/lxd.tar.xz`, ...metadata },
          'incus.tar.xz': { ftype: 'incus.tar.xz', path: `${path}/incus.tar.xz`, ...metadata },
          'rootfs.squashfs': { ftype: 'squashfs', path: `${path}/rootfs.squashfs`, sha256: sha256Of('root 2'), size: 21 },
          'rootfs.tar.xz': { ftype: 'root.tar.xz', path: `${path}/rootfs.tar.xz`, sha256: sha256Of('root 3'), size: 21 },
          'disk.qcow2': { ftype: 'disk-kvm.img', path: `${path}/disk.qcow2`, sha256: sha256Of('root 4'), size: 7 },
          'delta-from-v5.8.0-1.vcdiff': {
            ftype: 'squashfs.vcdiff',
            path: `${path}/delta-from-v5.8.0-1.vcdiff`,
            sha256: sha256Of('delta'),
            size: delta.file.sizeBytes,
            delta_base: '20210801_v5.8.0-1',
          },
        },
      },
    },
  });
});

test('nothing gives documents that can be read and hold nothing', () => {
  const { index, images, updated, leftOut } = renderStreams([]);
  expect({ updated, leftOut }).toEqual({ updated: undefined, leftOut: [] });
  expect(parseIndex(index)).toEqual([]);
  expect(parseProducts(images).size).toBe(0);
});

test('fields of a product are those of the highest semver, not of the newest or first release', () => {
  const high = exampleVersion({ version: '10.0.0', creationDate: 0, publishedAt: '2020-01-01T00:00:00Z', properties: { os: 'high' } });
  const low = exampleVersion({ version: '9.0.0', expiryDate: 1e9, properties: { os: 'low', release: 'x', 'requirements.a': 'b' } });
  for (const order of [
    [high, low],
    [low, high],
  ]) {
    const product = read(order).images.products['debian:amd64'];
    expect(product).toMatchObject({ os: 'high' });
    expect(Object.keys(product).sort()).toEqual(['aliases', 'arch', 'os', 'versions']);
  }
});

test('of two releases with the same tag the one published last is kept, and the other named', () => {
  const one = exampleVersion({ version: '1.0.0', releaseId: 1, publishedAt: '2024-01-02T00:00:00Z', properties: { os: 'kept' } });
  const two = exampleVersion({ version: '1.0.0', releaseId: 2, publishedAt: '2024-01-01T00:00:00Z' });
  for (const order of [
    [one, two],
    [two, one],
  ]) {
    const { images, leftOut } = read(order);
    expect(images.products['debian:amd64'].os).toBe('kept');
    expect(leftOut).toEqual([
      { tag: 'debian/v1.0.0', architecture: 'amd64', reason: expect.stringMatching(/published later has the same tag/) },
    ]);
  }
});

test.each([
  ['is not there', '0.1.0'],
  ['is itself', '1.0.0'],
  ['has another root only', '0.9.0'],
])('a delta whose base %s is left out, the root is not', (_case, base) => {
  const delta = { file: exampleFile('d'), base, sha256: sha256Of('d') };
  const old = exampleVersion({ version: '0.9.0', roots: [exampleRoot('x', { type: 'root.tar.xz' })] });
  const { images, leftOut } = read([exampleVersion({ version: '1.0.0', roots: [exampleRoot('y', { deltas: [delta] })] }), old]);
  expect(Object.keys(images.products['debian:amd64'].versions['20231114_v1.0.0'].items)).toEqual([
    'lxd.tar.xz',
    'incus.tar.xz',
    'rootfs.squashfs',
  ]);
  expect(leftOut).toEqual([{ tag: 'debian/v1.0.0', architecture: 'amd64', reason: expect.stringContaining(`starts from v${base}`) }]);
});

test('names that mean something to JavaScript are names like others', () => {
  const properties = Object.fromEntries([
    ['os', 'x'],
    ['requirements.__proto__', 'a'],
    ['requirements.10', 'b'],
    ['requirements.', 'no'],
  ]);
  const { images } = read([exampleVersion({ image: 'constructor', version: '1.0.0', properties })]);
  expect(JSON.stringify(images.products['constructor:amd64'].requirements)).toBe('{"10":"b","__proto__":"a"}');
});

describe('any set of versions', () => {
  const day = 86_400;
  const version: fc.Arbitrary<ExampleVersion> = fc.record({
    image: fc.constantFrom('debian', 'a/b', 'docker'),
    architecture: fc.constantFrom('amd64', 'arm64'),
    version: fc.constantFrom('1.0.0', '1.0.0-1', '1.0.0+a', '1.9.0', '1.10.0', '2.0.0'),
    releaseId: fc.nat(),
    publishedAt: fc.integer({ min: 0, max: 5 }).map((days) => new Date(days * day * 1000).toISOString()),
    creationDate: fc.integer({ min: 0, max: 4 * day }),
    properties: fc.dictionary(fc.constantFrom('os', 'release', 'requirements.a', 'description'), fc.string(), { maxKeys: 4 }),
  });
  const versions = fc
    .uniqueArray(version, { selector: ({ releaseId }) => releaseId, maxLength: 20 })
    .map((list) => list.map(exampleVersion));

  test('gives the same bytes in any order', () => {
    const shuffled = versions.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
    fc.assert(fc.property(shuffled, ([list, other]) => expect(renderStreams(other)).toEqual(renderStreams(list))));
  });

  test('gives an index of exactly the products there are, each with a version, whose paths lead back to the files', () => {
    fc.assert(
      fc.property(versions, (list) => {
        const { index, images } = read(list);
        expect(index.index.images.products).toEqual(Object.keys(images.products));
        expect(Object.keys(images.products)).toEqual(
          [...new Set(list.map(({ variant: { image, architecture } }) => `${image}:${architecture}`))].sort(),
        );
        for (const product of parseProducts(JSON.stringify(images)).values()) {
          expect(product.versions.size).toBeGreaterThan(0);
          for (const item of [...product.versions.values()].flatMap(({ items }) => items)) {
            const path = parseItemPath(item.path);
            const of = list.filter(
              ({ variant }) =>
                variant.image === path?.image && variant.version === path.version && variant.architecture === path.architecture,
            );
            expect(of.map((one) => checkedFileOf(one, path?.file ?? '')?.sha256)).toContain(item.sha256);
          }
        }
      }),
    );
  });

  test('offers by its alias the highest version of the newest day, as LXD sorts', () => {
    fc.assert(
      fc.property(versions, (list) => {
        const products = parseProducts(renderStreams(list).images);
        for (const key of products.keys()) {
          const [alias = '', architecture = ''] = key.split(':');
          const found = findImage(products, { alias, architecture });
          const serials = [...(products.get(key)?.versions.keys() ?? [])];
          const newest = serials
            .map((serial) => serial.slice(0, 8))
            .sort()
            .at(-1);
          const best = serials
            .filter((serial) => serial.startsWith(newest ?? '-'))
            .map((serial) => serial.slice(serial.indexOf('v') + 1))
            .sort(compareVersions)
            .at(-1);
          expect(found?.serial.endsWith(`v${best}`)).toBe(true);
        }
      }),
    );
  });
});

test('500 releases of two architectures take well under 50 ms of processor time', () => {
  const many = Array.from({ length: 500 }, (_, at) =>
    ['amd64', 'arm64'].map((architecture) =>
      exampleVersion({ version: `1.${at}.0`, architecture, releaseId: at, creationDate: at * 10_000 }),
    ),
  ).flat();
  const times = Array.from({ length: 20 }, () => {
    const begun = process.cpuUsage();
    renderStreams(many);
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1000;
  });
  expect(Math.min(...times)).toBeLessThan(50);
});
