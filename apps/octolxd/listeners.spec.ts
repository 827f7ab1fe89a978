import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { get } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { createLogger } from '#libs/logging/logger.js';
import { makeCertificate } from '#libs/testing/certificates.js';
import { listenOn } from './listeners.js';

const log = createLogger({ name: 'spec', level: 'silent' });

test('HTTPS with the given certificate; what was asked for is answered before it ends', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'listeners-'));
  try {
    const made = await makeCertificate(folder, 'server');
    const [certFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
    copyFileSync(made.certFile, certFile);
    copyFileSync(made.keyFile, keyFile);
    let answer: (() => void) | undefined;
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    let finish: (() => void) | undefined;
    const listener = await listenOn(
      { host: '127.0.0.1', port: 0 },
      (_request, response) => {
        finish = () => response.end('whole');
        answer?.();
      },
      { tls: { certFile, keyFile }, log },
    );
    const reply = new Promise<string>((resolve, reject) => {
      get({ host: '127.0.0.1', port: listener.port, ca: made.cert, agent: false }, (response) => resolve(text(response))).once(
        'error',
        reject,
      );
    });
    await asked;
    const closed = listener.close(10_000);
    finish?.();
    expect(await reply).toBe('whole');
    await closed;
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Sends for as long as somebody reads. */
function endless(response: ServerResponse): void {
  const chunk = Buffer.alloc(1024 * 1024);
  const more = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', more);
  more();
}

test('a client that takes nothing of its answer is cut off, one that reads is not', async () => {
  const ended: string[] = [];
  const listener = await listenOn(
    { host: '127.0.0.1', port: 0 },
    (request, response) => {
      response.once('close', () => ended.push(request.url ?? ''));
      endless(response);
    },
    { tls: undefined, log, silentMs: 300 },
  );
  const ask = (path: string) => {
    const socket = connect(listener.port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    return socket.on('error', () => undefined);
  };
  const [reader, silent] = [ask('/reads').resume(), ask('/takes-nothing')];
  await waitFor('the end of the one that takes nothing', () => ended.length > 0, { timeoutMs: 10_000, intervalMs: 10 });
  expect(ended).toEqual(['/takes-nothing']);
  for (const socket of [reader, silent]) socket.destroy();
  await listener.close(0);
});
