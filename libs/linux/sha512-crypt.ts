import { createHash, randomInt } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** The rounds that `$6$` stands for when it names none. */
const ROUNDS = 5_000;
/** About a millisecond, then others have their turn. */
const ROUNDS_AT_ONCE = 250;
const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SALT_CHARACTERS = 16;

/** The longest password that every `crypt` takes: musl's hashes no more (glibc 512). */
export const MAX_PASSWORD_BYTES = 256;

/**
 * A password as `/etc/shadow` holds it: SHA-512 crypt (`$6$<salt>$<hash>`), which glibc, musl and busybox verify. The password is taken as its
 * UTF-8 bytes. Costs about 15 ms of processor time, in slices of one: other requests go on meanwhile.
 * Algorithm and test vectors: Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512" (public domain).
 */
export async function sha512Crypt(password: string, salt: string = newSalt()): Promise<string> {
  const key = Buffer.from(password, 'utf8');
  const seasoning = Buffer.from(salt.slice(0, SALT_CHARACTERS), 'latin1');
  let digest = firstDigest(key, seasoning);
  const keys = repeated(sha512(...Array.from(key, () => key)), key.length);
  const salts = repeated(sha512(...Array.from({ length: 16 + (digest[0] as number) }, () => seasoning)), seasoning.length);
  for (let round = 0; round < ROUNDS; round++) {
    if (round % ROUNDS_AT_ONCE === ROUNDS_AT_ONCE - 1) await nextTurn();
    const hash = createHash('sha512').update(round % 2 ? keys : digest);
    if (round % 3) hash.update(salts);
    if (round % 7) hash.update(keys);
    digest = hash.update(round % 2 ? digest : keys).digest();
  }
  return `$6$${seasoning.toString('latin1')}$${encoded(digest)}`;
}

function newSalt(): string {
  return Array.from({ length: SALT_CHARACTERS }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}

function firstDigest(key: Buffer, salt: Buffer): Buffer {
  const inner = sha512(key, salt, key);
  const parts = [key, salt, repeated(inner, key.length)];
  for (let length = key.length; length > 0; length >>= 1) parts.push(length & 1 ? inner : key);
  return sha512(...parts);
}

function sha512(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function repeated(bytes: Buffer, length: number): Buffer {
  return Buffer.alloc(length, bytes);
}

/** The digest in crypt's own base 64: three bytes at a time, 21 apart, each triple turned on by one place from the last. */
function encoded(digest: Buffer): string {
  let text = '';
  for (let i = 0; i < 21; i++) {
    const [a, b, c] = [digest[i], digest[i + 21], digest[i + 42]] as [number, number, number];
    const [high, middle, low] = i % 3 === 0 ? [a, b, c] : i % 3 === 1 ? [b, c, a] : [c, a, b];
    text += base64((high << 16) | (middle << 8) | low, 4);
  }
  return text + base64(digest[63] as number, 2);
}

function base64(value: number, characters: number): string {
  let text = '';
  for (let rest = value, i = 0; i < characters; i++, rest >>= 6) text += ALPHABET[rest & 63];
  return text;
}
