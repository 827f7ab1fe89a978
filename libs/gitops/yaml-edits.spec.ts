import { describe, expect, test } from '@jest/globals';
import { editYaml, holdsValues } from './yaml-edits.js';

const RELEASE = `# The LXD cluster. Ask before you touch it.
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: lxd,   namespace: lxd}
spec:
  values:
    lxd:
        image:   # by digest some day
            repository: "ghcr.io/society/lxd8s"
            tag: 'v1.0.0' # {"$imagepolicy": "flux-system:lxd:tag"}
        env:
        - name: A
          value: "1"
        bump: 0
    enableProbes: true

    notes: |
      tag: v1.0.0
`;
const TAG = ['spec', 'values', 'lxd', 'image', 'tag'];

describe('values in a YAML file', () => {
  test('are changed and nothing else is: comments, quotes, spaces and order stay', () => {
    const edited = editYaml('release.yaml', RELEASE, [
      { path: TAG, value: "it's" },
      { path: ['spec', 'values', 'enableProbes'], value: false },
      { path: ['spec', 'values', 'lxd', 'bump'], value: 12 },
      { path: ['spec', 'values', 'lxd', 'image', 'repository'], value: 'a"b' },
    ]);
    const expected = RELEASE.replace("'v1.0.0'", "'it''s'")
      .replace('enableProbes: true', 'enableProbes: false')
      .replace('bump: 0', 'bump: 12')
      .replace('"ghcr.io/society/lxd8s"', '"a\\"b"');
    expect(edited).toBe(expected);
  });

  test.each([
    '5.21',
    'true',
    'null',
    '~',
    '# no comment',
    'a: b',
    '',
    '1e3',
    ' spaces ',
    'two\nlines',
    '- x',
    '@sha256:0',
    'é',
    'a, b}',
    'ghcr.io/x:v1@sha256:0',
  ])('the text %j is the same text when it is read again, in any style', (value) => {
    for (const there of ['plain', '"double"', "'single'"]) {
      const edited = editYaml('values.yaml', `# head\nimage: ${there} # tail\n`, [{ path: ['image'], value }]);
      expect(holdsValues('values.yaml', edited, [{ path: ['image'], value }])).toBe(true);
      const inBraces = editYaml('values.yaml', `{image: ${there}, other: 1}\n`, [{ path: ['image'], value }]);
      expect(holdsValues('values.yaml', inBraces, [{ path: ['image'], value }])).toBe(true);
      expect(edited).toMatch(/^# head\n.* # tail\n$/s);
    }
  });

  test('the same values change nothing', () => {
    expect(editYaml('release.yaml', RELEASE, [{ path: TAG, value: 'v1.0.0' }])).toBe(RELEASE);
  });

  test('are found in the one document of several that has them', () => {
    const text = `kind: HelmRepository\nspec: {url: x}\n---\n${RELEASE}`;
    expect(editYaml('all.yaml', text, [{ path: TAG, value: 'v2' }])).toBe(text.replace("'v1.0.0'", "'v2'"));
  });

  test.each([
    ['a path that is not there', 'a: {b: 1}\n', 'INVALID_INPUT', /values\.yaml has no place for a\.tag/],
    ['a mapping', 'a: {tag: {x: 1}}\n', 'CONFLICT', /a\.tag is no single value/],
    ['an alias', 'x: &v 1\na: {tag: *v}\n', 'CONFLICT', /a\.tag is an alias/],
    ['a value that others share', 'a: {tag: &v 1}\nx: *v\n', 'CONFLICT', /a\.tag is shared by the anchor &v/],
    ['a mapping that others share', 'a: &all {tag: 1}\nx: *all\n', 'CONFLICT', /a\.tag is shared by the anchor &all/],
    ['an alias on the way', 'x: &all {tag: 1}\na: *all\n', 'INVALID_INPUT', /a\.tag/],
    ['a block of text', 'a:\n  tag: |\n    x\n', 'CONFLICT', /a\.tag is a block of text/],
    ['an empty value', 'a:\n  tag:\n', 'CONFLICT', /a\.tag is empty/],
    ['a value with a tag', 'a: {tag: !!str 1}\n', 'CONFLICT', /a\.tag has a tag/],
    ['two documents that have it', 'a: {tag: 1}\n---\na: {tag: 2}\n', 'CONFLICT', /2 of its documents have a\.tag/],
    ['what is no YAML', 'a: [\n', 'CONFLICT', /values\.yaml is not as expected: it is no valid YAML/],
    ['the same key twice', 'a: {tag: 1, tag: 2}\n', 'CONFLICT', /no valid YAML/],
  ])('%s is refused in words', (_case, text, code, says) => {
    const edit = () => editYaml('values.yaml', text, [{ path: ['a', 'tag'], value: 'v2' }]);
    expect(edit).toThrow(says);
    expect(edit).toThrow(expect.objectContaining({ code, details: expect.objectContaining({ file: 'values.yaml' }) }));
  });

  test('are held only when all of them stand there', () => {
    const held = (value: string, probes: boolean) =>
      holdsValues('release.yaml', RELEASE, [
        { path: TAG, value },
        { path: ['spec', 'values', 'enableProbes'], value: probes },
      ]);
    expect([held('v1.0.0', true), held('v1.0.0', false), held('v2', true)]).toEqual([true, false, false]);
  });
});
