import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { MAX_PASSWORD_BYTES, sha512Crypt } from './sha512-crypt.js';

/** As OpenSSL makes it: another implementation. */
function openssl(password: string, salt: string): string {
  return execFileSync('openssl', ['passwd', '-6', '-salt', salt, '-stdin'], { input: `${password}\n` })
    .toString()
    .trim();
}

describe('SHA-512 crypt', () => {
  test.each([
    ['Hello world!', 'saltstring', 'svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1'],
    // Of a salt that is too long the first 16 characters count.
    ['This is just a test', 'toolongsaltstrin', 'lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0'],
  ])('gives the published hash of "%s"', async (password, salt, hash) => {
    expect(await sha512Crypt(password, salt === 'saltstring' ? salt : 'toolongsaltstring')).toBe(`$6$${salt}$${hash}`);
  });

  test.each([
    ['a', 'one letter'],
    [`"double" 'single' $HOME \`id\` \\ : space`, 'what a shell would read'],
    ['pässwörd €𝄞 пароль', 'non-ASCII'],
    ['x'.repeat(63), '63 bytes'],
    ['x'.repeat(64), '64 bytes'],
    ['x'.repeat(65), '65 bytes'],
    ['ü'.repeat(MAX_PASSWORD_BYTES / 2), 'the longest'],
  ])('agrees with OpenSSL on %j (%s)', async (password) => {
    const salt = 'Zx./09azAZ.abcde';
    expect(await sha512Crypt(password, salt)).toBe(openssl(password, salt));
  });

  test('takes a new salt each time', async () => {
    const [one, two] = await Promise.all([sha512Crypt('hunter2'), sha512Crypt('hunter2')]);
    expect(one).toMatch(/^\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}$/);
    expect(one).not.toBe(two);
  });

  test('lets others have their turn', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    await sha512Crypt('x'.repeat(MAX_PASSWORD_BYTES));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
  });
});
