import { describe, expect, test } from '@jest/globals';
import { sha256Of } from '#libs/testing/example-release.js';
import { findImage, type ImageQuery } from './find-image.js';
import { parseIndex, parseProducts } from './read-streams.js';

const item = (ftype: string, more: object = {}) => ({ ftype, path: `images/x/${ftype}`, sha256: sha256Of(ftype), size: 5, ...more });
const split = (seed: string) => ({
  items: {
    a: item('incus.tar.xz', { combined_squashfs_sha256: sha256Of('other') }),
    b: item('lxd.tar.xz', {
      combined_squashfs_sha256: sha256Of(seed),
      'combined_disk-kvm-img_sha256': sha256Of(`vm ${seed}`),
      combined_sha256: sha256Of('xz'),
    }),
    c: item('root.tar.xz'),
    d: item('squashfs'),
    e: item('disk-kvm.img'),
    f: item('squashfs.vcdiff', { delta_base: 'x' }),
  },
});
const product = (more: object = {}) => ({
  aliases: 'debian/12,debian/bookworm',
  arch: 'amd64',
  os: 'Debian',
  release: 'bookworm',
  versions: { '20240101_05:24': split('one') },
  ...more,
});
const find = (products: object, query: Partial<ImageQuery> = {}) =>
  findImage(parseProducts(JSON.stringify({ content_id: 'images', datatype: 'image-downloads', format: 'products:1.0', products })), {
    alias: 'debian/12',
    architecture: 'x86_64',
    ...query,
  });

describe('an index', () => {
  test('names the documents with images, and nothing else', () => {
    const entry = { datatype: 'image-downloads', path: 'streams/v1/images.json', products: ['a'] };
    const index = {
      a: entry,
      b: { ...entry, datatype: 'image-ids', path: 'b' },
      c: { ...entry, products: [], path: 'c' },
      d: { ...entry, products: null, path: 'd' },
      e: { ...entry, path: '../e' },
      f: { ...entry, path: 'https://elsewhere/f' },
      g: { ...entry, path: 'a/%2e%2e/f' },
      h: { ...entry, more: true },
    };
    expect(parseIndex(JSON.stringify({ index, format: 'index:1.0', signed: false }))).toEqual(['streams/v1/images.json']);
  });

  test.each(['<html>', '{}', '[]', '{"index": {"a": {"path": 5}}}'])('of another form is a fault of the server: %s', (json) => {
    expect(() => parseIndex(json)).toThrow(expect.objectContaining({ code: 'PROTOCOL' }));
    expect(() => parseProducts(json)).toThrow(expect.objectContaining({ code: 'PROTOCOL' }));
  });
});

describe('an image on another server', () => {
  test('is found with what LXD would take and say of it', () => {
    const wanted = product({ release_title: '12', variant: 'cloud', version: '12', requirements: { nesting: 'true' } });
    expect(find({ p: wanted })).toEqual({
      product: 'p',
      serial: '20240101_05:24',
      fingerprint: sha256Of('one'),
      type: 'container',
      architecture: 'x86_64',
      creationDate: Date.UTC(2024, 0, 1) / 1000,
      metadata: { path: 'images/x/lxd.tar.xz', sha256: sha256Of('lxd.tar.xz'), sizeBytes: 5 },
      root: { type: 'squashfs', path: 'images/x/squashfs', sha256: sha256Of('squashfs'), sizeBytes: 5 },
      properties: {
        architecture: 'amd64',
        description: 'Debian 12 amd64 (20240101_05:24)',
        os: 'Debian',
        release: 'bookworm',
        'requirements.nesting': 'true',
        serial: '20240101_05:24',
        type: 'squashfs',
        variant: 'cloud',
        version: '12',
      },
    });
  });

  test('is the newest of its name, or the version asked for', () => {
    const versions = {
      '20240101_v1.0.0': split('a'),
      '20240301_2_v1.10.0': split('c'),
      '20240301_1_v1.9.0': split('b'),
      latest: split('d'),
      '20241399': split('e'),
    };
    const serial = (version?: string) => find({ p: product({ versions }) }, version === undefined ? {} : { version })?.serial;
    expect(serial()).toBe('20240301_2_v1.10.0');
    for (const version of ['1.9.0', 'v1.9.0', '20240301_1_v1.9.0']) expect(serial(version)).toBe('20240301_1_v1.9.0');
    expect(serial('v1.0.0')).toBe('20240101_v1.0.0');
    for (const version of ['0.0', '.0.0', '0.9.0', 'latest', '']) expect(serial(version)).toBeUndefined();
  });

  test('is found by every alias, with the architecture too, and by nothing else', () => {
    for (const alias of ['debian/12', 'debian/bookworm', 'debian/12/amd64']) expect(find({ p: product() }, { alias })).toBeDefined();
    for (const alias of ['debian', '', 'debian/12/arm64', 'debian/12,debian/bookworm'])
      expect(find({ p: product() }, { alias })).toBeUndefined();
    expect(find({ p: product() }, { architecture: 'arm64' })).toBeUndefined();
    expect(find({ p: product({ arch: 'vax' }) }, { architecture: 'vax' })).toBeUndefined();
  });

  test('of an alias that several products have is the first by os and release, what is empty last', () => {
    const products = { x: product({ os: '' }), y: product({ release: 'trixie' }), z: product({ versions: { '20230101': split('z') } }) };
    expect(find(products)?.product).toBe('z');
  });

  test('may be a virtual machine, a tar, or one file', () => {
    expect(find({ p: product() }, { type: 'virtual-machine' })).toMatchObject({
      fingerprint: sha256Of('vm one'),
      root: { type: 'disk-kvm.img' },
    });
    const { a, b, c } = split('one').items;
    expect(find({ p: product({ versions: { '20240101': { items: { a, b, c } } } }) })).toMatchObject({
      fingerprint: sha256Of('xz'),
      root: { type: 'root.tar.xz' },
    });
    const unified = find({ p: product({ versions: { '20240101': { items: { u: item('lxd_combined.tar.gz') } } } }) });
    expect(unified).toMatchObject({ fingerprint: sha256Of('lxd_combined.tar.gz'), properties: { type: 'tar.gz' } });
    expect(unified?.root).toBeUndefined();
  });

  test.each<[string, object]>([
    ['no fingerprint', { a: item('lxd.tar.xz'), b: item('squashfs') }],
    ['a fingerprint of another length', { a: item('lxd.tar.xz', { combined_squashfs_sha256: 'abc' }), b: item('squashfs') }],
    ['no checksum', { a: item('lxd.tar.xz', { combined_squashfs_sha256: sha256Of('x') }), b: { ftype: 'squashfs', path: 'x' } }],
    ['a path that leads out', { a: item('lxd_combined.tar.gz', { path: '../../x' }) }],
    ['a path to another host', { a: item('lxd_combined.tar.gz', { path: '//elsewhere/x' }) }],
    ['no root', { a: item('lxd.tar.xz', { combined_squashfs_sha256: sha256Of('x') }) }],
  ])('with %s is passed over, and the older version taken', (_case, items) => {
    expect(find({ p: product({ versions: { '20240102': { items }, '20240101': split('old') } }) })?.fingerprint).toBe(sha256Of('old'));
  });

  test('is found beside entries that cannot be read', () => {
    expect(
      find({ a: 5, b: { arch: 7 }, c: product({ versions: { '20250101': 'x', '20250102': { items: [] } } }), d: product() })?.product,
    ).toBe('d');
  });
});
