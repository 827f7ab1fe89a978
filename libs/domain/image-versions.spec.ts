import { describe, expect, test } from '@jest/globals';
import { evidenceOf, imageNameOf } from './image-evidence.js';
import { type KeptImage, oldVersionsOf, unusedImages } from './image-versions.js';

const NOW = Date.parse('2026-11-28T12:00:00Z');
const daysAgo = (days: number) => new Date(NOW - days * 86_400_000).toISOString();

function imported(fingerprint: string, days: number, changes: Partial<KeptImage> & { readonly alias?: string } = {}): KeptImage {
  const { alias = 'hello', ...rest } = changes;
  const properties = {
    'webspaces.source': 'upload',
    'webspaces.operation': `import:x:${fingerprint}`,
    'webspaces.alias': alias,
    'webspaces.imported-at': daysAgo(days),
  };
  return { fingerprint, aliases: [], properties, cached: false, uploaded_at: daysAgo(days), last_used_at: '0001-01-01T00:00:00Z', ...rest };
}
const named = (name: string) => ({ aliases: [{ name }] });
const names = (images: readonly KeptImage[]) => images.map(({ fingerprint }) => fingerprint);
const nobody = new Set<string>();

describe('old versions of an alias', () => {
  const five = [imported('e', 1, named('hello')), imported('d', 2), imported('c', 3), imported('b', 4), imported('a', 5)];

  test.each([
    ['the last two stay', five, { keep: 2, inUse: nobody }, ['c', 'b', 'a']],
    ['only the present one stays', five, { keep: 1, inUse: nobody }, ['d', 'c', 'b', 'a']],
    ['none goes when fewer are there than may stay', five, { keep: 9, inUse: nobody }, []],
    ['one that an instance is made of stays', five, { keep: 2, inUse: new Set(['b']) }, ['c', 'a']],
    ['one that another alias names stays', [...five.slice(0, 4), imported('a', 5, named('old'))], { keep: 2, inUse: nobody }, ['c', 'b']],
    [
      'an older version that the alias names again is the present one',
      [imported('n', 0), ...five],
      { keep: 2, inUse: nobody },
      ['d', 'c', 'b', 'a'],
    ],
    [
      'versions of other aliases and images from elsewhere are not looked at',
      [five[0] as KeptImage, imported('x', 9, { alias: 'other' }), { ...imported('y', 9), properties: {} }],
      { keep: 1, inUse: nobody },
      [],
    ],
  ])('%s', (_what, images, options, gone) => {
    expect(names(oldVersionsOf('hello', images, options)).sort()).toEqual([...gone].sort());
    expect(names(oldVersionsOf('hello', [...images].reverse(), options)).sort()).toEqual([...gone].sort());
  });
});

describe('cached images', () => {
  const cached = (fingerprint: string, days: number, changes: Partial<KeptImage> = {}): KeptImage => ({
    ...imported(fingerprint, days),
    properties: {},
    cached: true,
    ...changes,
  });
  const options = { unusedDays: 10, inUse: new Set(['used']), now: NOW };

  test('that nobody has used for long go; those used since, named, in use, or not cached stay', () => {
    const images = [
      cached('old', 11),
      cached('young', 9),
      cached('used', 30),
      cached('named', 30, named('x')),
      cached('lately', 30, { last_used_at: daysAgo(2) }),
      { ...cached('ours', 30), cached: false },
    ];
    expect(names(unusedImages(images, options))).toEqual(['old']);
    expect(unusedImages(images, { ...options, unusedDays: 0 })).toEqual([]);
  });

  test('go a few at a time, those unused longest first', () => {
    const twenty = Array.from({ length: 20 }, (_, i) => cached(`i${i}`, 20 + i));
    expect(names(unusedImages(twenty, options))).toEqual(['i19', 'i18', 'i17', 'i16', 'i15']);
    const many = Array.from({ length: 400 }, (_, i) => cached(`i${i}`, 20 + i));
    expect(unusedImages(many, options)).toHaveLength(8);
  });
});

test('evidence is read back, and an image without it has none', () => {
  expect(evidenceOf(imported('a', 1))).toMatchObject({ source: 'upload', alias: 'hello', operation: 'import:x:a' });
  expect(evidenceOf({ properties: { os: 'x' } })).toBeUndefined();
});

test('the lock of an alias is a name that Kubernetes takes, another for each alias', () => {
  expect(imageNameOf('Debian/12')).toMatch(/^image-[0-9a-f]{16}$/);
  expect(imageNameOf('Debian/12')).not.toBe(imageNameOf('debian/12'));
});
