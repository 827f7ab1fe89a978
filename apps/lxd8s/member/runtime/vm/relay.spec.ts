import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startRelay } from './relay.js';

let folder: string;
const servers: Server[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relay-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** What comes back for what is sent, until the other side ends. */
async function said(socket: string, what: string): Promise<string> {
  const client = connect(socket);
  client.write(what);
  return text(client);
}

test('what is sent to the socket arrives in the machine behind the word, and the answer comes back', async () => {
  const port = await listening(createServer((socket) => socket.once('data', (data) => socket.end(`got ${data.toString()}`))));
  const socket = join(folder, 'unix.socket');
  // What an earlier process left.
  writeFileSync(socket, '');
  servers.push(await startRelay({ socket, port, word: 'sesame' }));
  expect(await said(socket, '')).toBe('got sesame\n');
});

test('while nobody listens in the machine a connection ends at once', async () => {
  const gone = createServer();
  const port = await listening(gone);
  await new Promise((resolve) => gone.close(resolve));
  servers.pop();
  const socket = join(folder, 'unix.socket');
  servers.push(await startRelay({ socket, port, word: 'sesame' }));
  expect(await said(socket, 'GET / HTTP/1.0\r\n\r\n').catch((error: NodeJS.ErrnoException) => error.code)).toMatch(/^$|ECONNRESET|EPIPE/);
});
