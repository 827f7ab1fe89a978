import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
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
