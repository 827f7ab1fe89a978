import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { canonical } from '../addresses.js';

/** A Curve25519 key pair, both halves in base64 as `wg` writes them. */
export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

export function newKeyPair(): KeyPair {
  const { privateKey } = generateKeyPairSync('x25519');
  return { privateKey: partOf(privateKey, 'd'), publicKey: partOf(privateKey, 'x') };
}

/** The DER header of a private X25519 key (RFC 8410); its 32 bytes follow. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');

export function publicKeyOf(privateKey: string): string {
  const der = Buffer.concat([PKCS8, Buffer.from(privateKey, 'base64')]);
  return partOf(createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })), 'x');
}

function partOf(key: KeyObject, part: 'd' | 'x'): string {
  return Buffer.from(key.export({ format: 'jwk' })[part] ?? '', 'base64url').toString('base64');
}

/** `fd57:6c61:6e::/64` is for the insides of tunnels only: nothing outside of a pod ever sees an address of it. */
const PREFIX = 'fd57:6c61:6e:0';

/** The address inside the tunnels of the member at this address of the underlay: the prefix, and 64 bits of the address's SHA-256. */
export function innerOf(underlay: string): string {
  const groups = hashOf(underlay).match(/.{4}/g) ?? [];
  const text = [PREFIX, ...groups.slice(0, 4)].join(':');
  return canonical(text) ?? text;
}

export function hashOf(underlay: string): string {
  return createHash('sha256').update(underlay).digest('hex');
}
