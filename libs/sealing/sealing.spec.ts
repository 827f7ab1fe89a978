import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { readKeyFile } from './key-file.js';
import { createSealing } from './sealing.js';

const k1 = randomBytes(32);
const k2 = randomBytes(32);
const context = { uid: 'uid-1', operationId: 'op-1' };
const old = createSealing({ current: 'k1', keys: new Map([['k1', k1]]) });
const rotated = createSealing({
  current: 'k2',
  keys: new Map([
    ['k1', k1],
    ['k2', k2],
  ]),
});

describe('sealed values', () => {
  test('open again for the same webspace and operation', () => {
    expect(old.open(old.seal('päss wörd', context), context)).toBe('päss wörd');
  });

  test('never look the same twice and never hold the plain text', () => {
    const [one, two] = [old.seal('hunter2', context), old.seal('hunter2', context)];
    expect(one).not.toBe(two);
    expect(one).not.toContain('hunter2');
  });

  test.each([
    ['another operation', { ...context, operationId: 'op-2' }],
    ['another webspace', { ...context, uid: 'uid-2' }],
  ])('do not open for %s', (_case, other) => {
    expect(() => old.open(old.seal('x', context), other)).toThrow(/does not belong to operation/);
  });

  test('do not open when altered', () => {
    const sealed = old.seal('hunter2', context);
    const altered = `${sealed.slice(0, -3)}${sealed.at(-3) === 'A' ? 'B' : 'A'}${sealed.slice(-2)}`;
    expect(() => old.open(altered, context)).toThrow(/was altered/);
  });

  test('survive a rotation of the key, and say which key is missing when they do not', () => {
    expect(rotated.open(old.seal('x', context), context)).toBe('x');
    expect(() => old.open(rotated.seal('x', context), context)).toThrow('sealed with the key "k2"');
  });

  test('are refused without their content when malformed', () => {
    expect(() => old.open('hunter2', context)).toThrow(/^This is not a sealed value\.$/);
  });
});

describe('fingerprints', () => {
  test('tell equal texts from others, also after a rotation', () => {
    expect(rotated.matches('a', old.fingerprint('a'))).toBe(true);
    expect(rotated.matches('b', old.fingerprint('a'))).toBe(false);
    expect(old.matches('a', rotated.fingerprint('a'))).toBe(false);
  });
});

describe('the key file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sealing-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  function file(content: unknown, mode: number): string {
    const path = join(folder, 'keys.json');
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    chmodSync(path, mode);
    return path;
  }
  const good = { current: 'k1', keys: { k1: k1.toString('base64') } };

  test('gives the keys when only its owner may read it', () => {
    expect(readKeyFile(file(good, 0o600)).keys.get('k1')).toEqual(k1);
  });

  test.each([0o644, 0o640, 0o604])('is refused with mode %o', (mode) => {
    expect(() => readKeyFile(file(good, mode))).toThrow(/open to others/);
  });

  test('may be read by its group when the configuration says so, but never by all', () => {
    expect(readKeyFile(file(good, 0o440), { groupReadable: true }).current).toBe('k1');
    expect(() => readKeyFile(file(good, 0o444), { groupReadable: true })).toThrow(/open to others/);
  });

  test.each([
    ['is no JSON', 'hunter2'],
    ['names an absent current key', { ...good, current: 'k9' }],
    ['holds a short key', { current: 'k1', keys: { k1: 'aHVudGVyMg==' } }],
  ])('is refused without its content when it %s', (_case, content) => {
    const refuse = () => readKeyFile(file(content, 0o600));
    expect(refuse).toThrow(/^The sealing key file/);
    expect(refuse).not.toThrow(/hunter2|aHVu/);
  });
});
