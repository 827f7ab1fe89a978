import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { PlatformError } from '#libs/errors/platform-error.js';
import { type KeyRing, readKeyFile } from './key-file.js';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What a sealed value belongs to; it cannot be opened for anything else. */
export interface SealContext {
  readonly uid: string;
  readonly operationId: string;
}

export interface Sealing {
  /** Encrypts a secret for one operation on one webspace: `<key id>.<nonce>.<data>`, safe in histories and logs. */
  seal(plain: string, context: SealContext): string;
  /** @throws PlatformError INVALID_INPUT, without content, when it is malformed, of an unknown key, altered, or of another context. */
  open(sealed: string, context: SealContext): string;
  /** A keyed fingerprint `<key id>.<hmac>`: tells whether two texts are equal, and nothing else to one without the key. */
  fingerprint(text: string): string;
  /** Whether a fingerprint, also one made with an older key, is that of this text. */
  matches(text: string, fingerprint: string): boolean;
}

export function createSealing(ring: KeyRing): Sealing {
  const macKeys = new Map([...ring.keys].map(([id, key]) => [id, Buffer.from(hkdfSync('sha256', key, '', 'webspaces fingerprint', 32))]));
  const mac = (keyId: string, key: Buffer, text: string) => `${keyId}.${createHmac('sha256', key).update(text).digest('base64url')}`;

  return {
    seal(plain, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, ring.keys.get(ring.current) as Buffer, nonce).setAAD(additionalData(ring.current, context));
      const data = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return [ring.current, nonce.toString('base64url'), data.toString('base64url')].join('.');
    },

    open(sealed, context) {
      const [keyId, nonce, data] = partsOf(sealed);
      const key = ring.keys.get(keyId);
      if (!key) throw new PlatformError('INVALID_INPUT', `The value was sealed with the key "${keyId}", which the key file does not hold.`);
      const decipher = createDecipheriv(ALGORITHM, key, nonce).setAAD(additionalData(keyId, context)).setAuthTag(data.subarray(-TAG_BYTES));
      try {
        return Buffer.concat([decipher.update(data.subarray(0, -TAG_BYTES)), decipher.final()]).toString('utf8');
      } catch {
        // The cipher's own error says no more, and no cause may carry the data.
        throw new PlatformError(
          'INVALID_INPUT',
          `The sealed value does not belong to operation ${context.operationId} of webspace ${context.uid}, or was altered.`,
        );
      }
    },

    fingerprint: (text) => mac(ring.current, macKeys.get(ring.current) as Buffer, text),

    matches(text, fingerprint) {
      const keyId = fingerprint.split('.')[0] ?? '';
      const key = macKeys.get(keyId);
      if (!key) return false;
      const [expected, given] = [Buffer.from(mac(keyId, key, text)), Buffer.from(fingerprint)];
      return expected.length === given.length && timingSafeEqual(expected, given);
    },
  };
}

/** Reads the key file once and makes the sealing of a process. */
export function sealingFromFile(config: { readonly keyFile: string; readonly groupReadable?: boolean }): Sealing {
  return createSealing(readKeyFile(config.keyFile, config));
}

function additionalData(keyId: string, { uid, operationId }: SealContext): Buffer {
  return Buffer.from(JSON.stringify(['webspaces', 1, keyId, uid, operationId]));
}

function partsOf(sealed: string): [string, Buffer, Buffer] {
  const match = /^([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{22,})$/.exec(sealed);
  if (!match) throw new PlatformError('INVALID_INPUT', 'This is not a sealed value.');
  return [match[1] as string, Buffer.from(match[2] as string, 'base64url'), Buffer.from(match[3] as string, 'base64url')];
}
