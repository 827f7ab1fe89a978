import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { withRootPassword, withShadowedRoot } from './shadow.js';
import { sshPublicKey } from './ssh-key.js';

const DAY = 20_000;
const set = (text: string) => withRootPassword(Buffer.from(text, 'latin1'), '$6$s$h', DAY * 86_400_000).toString('latin1');

describe("root's line in /etc/shadow", () => {
  test.each([
    ['a locked one', 'root:*:19700:0:99999:7:::\nnobody:*:1::::::\n', 'root:$6$s$h:20000:0:99999:7:::\nnobody:*:1::::::\n'],
    ['one that is not the first', 'a:!:1::::::\nroot::0:0:99999:7:::\n', 'a:!:1::::::\nroot:$6$s$h:20000:0:99999:7:::\n'],
    ['its other fields', 'root:x:1:2:3:4:5:6:7\n', 'root:$6$s$h:20000:2:3:4:5:6:7\n'],
    ['a short one', 'root:*\n', 'root:$6$s$h:20000:0:99999:7:::\n'],
    ['one without a newline', 'root:*:1:::::: ', 'root:$6$s$h:20000:::::: '],
  ])('is replaced: %s', (_case, before, after) => {
    expect(set(before)).toBe(after);
  });

  test('is added when it is missing, also to an empty file', () => {
    expect(set('rooted:*:1::::::\n')).toBe('root:$6$s$h:20000:0:99999:7:::\nrooted:*:1::::::\n');
    expect(set('')).toBe('root:$6$s$h:20000:0:99999:7:::\n');
  });

  test('leaves every other byte as it was, whatever its encoding', () => {
    const others = '\xff\xfe\x80:*:1::::::\r\n#\x01\n';
    expect(set(`${others}root:*:1::::::\n`)).toBe(`${others}root:$6$s$h:20000::::::\n`);
  });

  test('is the same after a second time', () => {
    const once = set('root:*:1::::::\nb:*:1::::::\n');
    expect(set(once)).toBe(once);
  });
});

test("a password in /etc/passwd is replaced by the mark of /etc/shadow, and nothing but root's line is touched", () => {
  const passwd = (text: string) => withShadowedRoot(Buffer.from(text)).toString();
  expect(passwd('root::0:0:root:/root:/bin/sh\nb::1:1::/:\n')).toBe('root:x:0:0:root:/root:/bin/sh\nb::1:1::/:\n');
  expect(passwd('root:x:0:0:root:/root:/bin/sh\n')).toBe('root:x:0:0:root:/root:/bin/sh\n');
  expect(() => passwd('b:x:1:1::/:\n')).toThrow(/no user root/);
});

describe('a public key', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  function made(type: string, ...more: string[]): string {
    const file = join(folder, `${type}${more.join('')}`);
    execFileSync('ssh-keygen', ['-q', '-t', type, ...more, '-N', '', '-C', 'alice at home', '-f', file]);
    return readFileSync(`${file}.pub`, 'utf8');
  }
  const ed25519 = made('ed25519').trim();
  const [, blob = ''] = ed25519.split(' ');

  test.each([
    ['ed25519', ['-a', '1']],
    ['rsa', ['-b', '2048']],
    ['ecdsa', ['-b', '256']],
    ['ecdsa', ['-b', '521']],
  ])('as ssh-keygen makes it is taken: %s %j', (type, more) => {
    const key = made(type, ...more);
    expect(sshPublicKey(key)).toBe(key.trim());
  });

  test('is brought to one line, with or without a comment', () => {
    expect(sshPublicKey(`  ssh-ed25519\t${blob}  \n`)).toBe(`ssh-ed25519 ${blob}`);
  });

  test.each([
    ['two keys', `${ed25519}\n${ed25519}`, /more than one line/],
    ['options', `command="sh" ${ed25519}`, /known type/],
    ['another type than the key has', `ssh-rsa ${blob}`, /not of the type ssh-rsa/],
    ['a key that is cut off', `ssh-ed25519 ${blob.slice(0, 40)}`, /cut off/],
    ['no base64', 'ssh-ed25519 !!!!', /not base64/],
    ['a type alone', 'ssh-ed25519', /not base64/],
    ['an old type', `ssh-dss ${blob}`, /known type/],
    ['a control character', `${ed25519}\u001b[2J`, /control/],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----', /known type/],
    ['nothing', ' ', /known type/],
  ])('is refused without being quoted: %s', (_case, key, why) => {
    expect(() => sshPublicKey(key)).toThrow(why);
    expect(() => sshPublicKey(key)).not.toThrow(blob.slice(30));
  });
});
