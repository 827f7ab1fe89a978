import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '#libs/testing/certificates.js';
import { ImageServers } from './image-servers.js';

const BYTES = Buffer.from('0123456789');
const signal = new AbortController().signal;
let folder: string;
let server: Server;
let base: string;
let certificate: string;
const open = new ImageServers({ allowPrivateAddresses: true, timeoutMs: 1_000 });
const closed = new ImageServers({ allowPrivateAddresses: false, timeoutMs: 1_000 });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-servers-'));
  const { cert, key } = await makeCertificate(folder, 'server');
  certificate = cert;
  server = createServer({ cert, key }, ({ url = '', headers }, answer) => {
    const [, what = '', status = ''] = url.split('/');
    const from = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
    if (what === 'status') return void answer.writeHead(Number(status), { 'retry-after': '7' }).end();
    if (what === 'redirect') return void answer.writeHead(302, { location: decodeURIComponent(status) }).end();
    if (what === 'hang') return;
    if (from === 0 || what === 'no-ranges') return void answer.writeHead(200, { 'content-length': BYTES.length }).end(BYTES);
    answer.writeHead(206, { 'content-range': `bytes ${from}-9/10` }).end(BYTES.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await Promise.all([open.close(), closed.close()]);
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const read = (path: string, servers = open) => servers.text(`${base}/${path}`, { certificate, signal, maxBytes: 100 });
const redirectTo = (url: string) => `redirect/${encodeURIComponent(url)}`;

describe('another image server', () => {
  test('is read with its certificate only', async () => {
    expect(await read('file')).toBe('0123456789');
    await expect(open.text(`${base}/file`, { signal, maxBytes: 100 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('gives the end of a file, or all of it when it knows no ranges', async () => {
    const rest = await open.open(`${base}/file`, { certificate, signal, from: 4 });
    expect([rest.startsAt, rest.totalBytes, Buffer.concat(await rest.body.toArray()).toString()]).toEqual([4, 10, '456789']);
    const all = await open.open(`${base}/no-ranges`, { certificate, signal, from: 4 });
    expect([all.startsAt, all.totalBytes]).toEqual([0, 10]);
    all.body.destroy();
  });

  test.each([
    [404, 'NOT_FOUND', undefined],
    [403, 'DENIED_UPSTREAM', undefined],
    [429, 'RATE_LIMITED', 7_000],
    [503, 'UNAVAILABLE', 7_000],
    [418, 'PROTOCOL', undefined],
  ])('that answers %i is %s', async (status, code, retryAfterMs) => {
    await expect(read(`status/${status}`)).rejects.toMatchObject({ code, details: retryAfterMs === undefined ? {} : { retryAfterMs } });
  });

  test('is bounded in time and size', async () => {
    await expect(read('hang')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(open.text(`${base}/file`, { certificate, signal, maxBytes: 9 })).rejects.toMatchObject({ code: 'PROTOCOL' });
  });

  test('may send on, but not in circles, not to plain http', async () => {
    expect(await read(redirectTo(`${base}/file`))).toBe('0123456789');
    expect(await read(redirectTo('/file'))).toBe('0123456789');
    await expect(read(redirectTo('https://['))).rejects.toMatchObject({ code: 'PROTOCOL' });
    await expect(read(redirectTo('http://127.0.0.1/x'))).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test.each([
    'https://127.0.0.1/x',
    'https://[::1]/x',
    'https://169.254.169.254/x',
    'https://10.0.0.1/x',
    'https://localhost/x',
    'http://example.org/x',
  ])('at %s is never connected to', async (url) => {
    await expect(closed.text(url, { signal, maxBytes: 100 })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});
