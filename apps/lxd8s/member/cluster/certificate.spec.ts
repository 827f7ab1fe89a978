import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type CertificateFiles, makeCertificate } from '#libs/testing/certificates.js';
import { type RotationQuestion, readPair, rotationOf } from './certificate.js';

let folder: string;
let one: CertificateFiles;
let two: CertificateFiles;
let nameless: CertificateFiles;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'certificate-'));
  one = await makeCertificate(folder, 'one', 'DNS:lxd.example.org');
  two = await makeCertificate(folder, 'two', 'DNS:lxd.example.org');
  nameless = await makeCertificate(folder, 'nameless');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function mounted(certFile: string, keyFile: string): string {
  copyFileSync(certFile, join(folder, 'tls.crt'));
  copyFileSync(keyFile, join(folder, 'tls.key'));
  return folder;
}

describe('76: the certificate of a Secret', () => {
  test('is read when it can be used', async () => {
    expect(await readPair(mounted(one.certFile, one.keyFile))).toEqual({ certificate: one.cert, key: one.key });
  });

  test('is refused with the key of another one', async () => {
    await expect(readPair(mounted(one.certFile, two.keyFile))).rejects.toThrow('its key is that of another one');
  });

  test('is refused without a DNS name: members would not find together again', async () => {
    await expect(readPair(mounted(nameless.certFile, nameless.keyFile))).rejects.toThrow('no DNS name');
  });

  test('is refused when it has expired, and before it is valid', async () => {
    const at = mounted(one.certFile, one.keyFile);
    await expect(readPair(at, Date.now() + 3 * 86_400_000)).rejects.toThrow('it has expired');
    await expect(readPair(at, Date.now() - 86_400_000)).rejects.toThrow('valid only from');
  });

  test('is refused when it is none', async () => {
    await expect(readPair(mounted(one.keyFile, one.keyFile))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('76: on the way to a new certificate', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  const question = (more: Partial<RotationQuestion>): RotationQuestion => ({
    present: one.cert,
    wanted: two.cert,
    announced: one.cert,
    announcedAt: undefined,
    announceSeconds: 60,
    cluster: 'formed',
    now,
    ...more,
  });
  const both = () => `${one.cert}${two.cert}`;
  const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();

  test('nothing is done when it is the one that is shown', () => {
    expect(rotationOf(question({ wanted: one.cert }))).toEqual({ step: 'none' });
  });
  test('it is announced first', () => {
    expect(rotationOf(question({}))).toEqual({ step: 'announce' });
  });
  test('it is not used before its time', () => {
    expect(rotationOf(question({ announced: both(), announcedAt: ago(59) }))).toEqual({ step: 'wait', until: now + 1_000 });
    expect(rotationOf(question({ announced: both(), announcedAt: ago(60) }))).toEqual({ step: 'switch' });
  });
  test('another one than that which was announced begins anew', () => {
    expect(rotationOf(question({ announced: `${one.cert}${nameless.cert}`, announcedAt: ago(600) }))).toEqual({ step: 'announce' });
  });
  test('an announcement without a time counts as none', () => {
    expect(rotationOf(question({ announced: both(), announcedAt: 'soon' }))).toEqual({ step: 'announce' });
  });
  test('while the cluster is made nobody can have pinned another one', () => {
    expect(rotationOf(question({ cluster: 'forming' }))).toEqual({ step: 'switch' });
  });
});
