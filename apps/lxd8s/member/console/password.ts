import { readFileSync } from 'node:fs';
import { PlatformError } from '#libs/errors/platform-error.js';

/** Of crypt(5): yescrypt, SHA-512, SHA-256, bcrypt. */
const HASH = /^\$(?:y|6|5|2[aby])\$[./A-Za-z0-9$=,]{20,}$/;

/** What root's password is checked by. @throws PlatformError FORBIDDEN where no login is set, INVALID_INPUT for a file without a hash. */
export function readPasswordHash(file: string | undefined): string {
  if (file === undefined)
    throw new PlatformError(
      'FORBIDDEN',
      'There is no login at this console: console.passwordFile names no file with the hash of a password.',
    );
  const hash = readFileSync(file, 'utf8').trim();
  if (!HASH.test(hash))
    throw new PlatformError('INVALID_INPUT', `${file} (console.passwordFile) has no hash as \`openssl passwd -6\` prints it.`);
  return hash;
}

/** A command, and what it reads from standard input. */
export interface WithInput {
  readonly command: readonly [string, ...string[]];
  readonly input: string;
}

/** Gives root that password; run where the login is. The hash is no argument: those are seen in the list of processes, and in errors. */
export function setPassword(hash: string): WithInput {
  return { command: ['/usr/sbin/chpasswd', '--encrypted'], input: `root:${hash}\n` };
}
