import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readPasswordHash, setPassword } from './password.js';

let file: string;
beforeAll(() => {
  file = join(mkdtempSync(join(tmpdir(), 'password-')), 'password');
});
afterAll(() => rmSync(join(file, '..'), { recursive: true }));

function read(content: string): string {
  writeFileSync(file, content);
  return readPasswordHash(file);
}

describe('the password of the console', () => {
  test.each(['$6$salt$abcdefghijklmnopqrstuvwx', '$y$j9T$abcdefghij./$abcdefghijklmnopqrstuv'])('is a hash: %s', (hash) => {
    expect(read(`${hash}\n`)).toBe(hash);
  });

  test.each(['', '\n', 'secret', '$6$', 'root:$6$salt$abcdefghijklmnopqrstuvwx', '$6$salt$abcdefghijklmnopqrstuvwx\n$6$salt$more', '*'])(
    'is not %j',
    (content) => expect(() => read(content)).toThrow(/has no hash as `openssl passwd -6` prints it/),
  );

  test('is given by standard input, never as an argument', () => {
    const { command, input } = setPassword('$6$salt$hash');
    expect(command.join(' ')).not.toContain('salt');
    expect(input).toBe('root:$6$salt$hash\n');
  });

  test('is nobody’s where none is set', () => {
    expect(() => readPasswordHash(undefined)).toThrow(/There is no login at this console/);
  });
});
