import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { createLogger } from '#libs/logging/logger.js';
import { type Listener, listenOn } from './listeners.js';

const log = createLogger({ name: 'test', level: 'fatal' });
let listener: Listener | undefined;
afterEach(() => listener?.close(0));

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
  listener = await listenOn(
    { host: '127.0.0.1', port: 0 },
    (request, response) => {
      response.once('close', () => ended.push(request.url ?? ''));
      endless(response);
    },
    { tls: undefined, log, silentMs: 300 },
  );
  const ask = (path: string) => {
    const socket = connect(listener?.port ?? 0, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    return socket.on('error', () => undefined);
  };
  const [reader, silent] = [ask('/reads').resume(), ask('/takes-nothing')];
  await waitFor('the end of the one that takes nothing', () => ended.length > 0, { timeoutMs: 10_000, intervalMs: 10 });
  expect(ended).toEqual(['/takes-nothing']);
  for (const socket of [reader, silent]) socket.destroy();
});
