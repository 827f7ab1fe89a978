import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type CertificateFiles, makeCertificate } from '#libs/testing/certificates.js';
import { createDialer, type Dialer } from './dial.js';

let folder: string;
let old: CertificateFiles;
let next: CertificateFiles;
let client: CertificateFiles;
let server: Server;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dial-'));
  [old, next, client] = (await Promise.all(['old', 'next', 'client'].map((name) => makeCertificate(folder, name)))) as [
    CertificateFiles,
    CertificateFiles,
    CertificateFiles,
  ];
  server = createServer({ cert: old.cert, key: old.key }, (socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const dialer = (serverCertFile: string) =>
  createDialer({
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    clientCertFile: client.certFile,
    clientKeyFile: client.keyFile,
    serverCertFile,
  });

const dial = (by: Dialer) =>
  new Promise<void>((resolve, reject) =>
    by.dial((error, socket?: Socket) => {
      socket?.destroy();
      if (error) reject(error);
      else resolve();
    }),
  );

test('a server is known by any of the certificates of the file', async () => {
  const pins = join(folder, 'pins.pem');
  writeFileSync(pins, `${next.cert}${old.cert}`);
  await dial(dialer(pins));
});

test('one that shows another is refused', async () => {
  await expect(dial(dialer(next.certFile))).rejects.toMatchObject({ code: 'DENIED_UPSTREAM', details: { reason: 'wrong-pin' } });
});

test('a certificate that came into the file since is known, without a new process', async () => {
  const pins = join(folder, 'pins.pem');
  writeFileSync(pins, old.cert);
  const by = dialer(pins);
  await dial(by);
  server.setSecureContext({ cert: next.cert, key: next.key });
  await expect(dial(by)).rejects.toMatchObject({ code: 'DENIED_UPSTREAM' });
  appendFileSync(pins, next.cert);
  await dial(by);
});

test('a file without any certificate is refused at once', () => {
  const empty = join(folder, 'empty.pem');
  writeFileSync(empty, '');
  expect(() => dialer(empty)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
});
