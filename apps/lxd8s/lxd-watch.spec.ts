import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from './clock.js';
import { LxdWatch } from './lxd-watch.js';

const { signal } = new AbortController();
let folder: string;
let socket: string;
let server: Server | undefined;
let connections = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lxd-watch-'));
  socket = join(folder, 'unix.socket');
  connections = 0;
});
afterEach(async () => {
  await end();
  rmSync(folder, { recursive: true });
});

/** An LXD that answers that, or never. */
async function begin(status: number | undefined): Promise<void> {
  server = createServer((_request, response) => {
    if (status !== undefined) response.writeHead(status).end('{"type":"sync"}');
  });
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server?.listen(socket, resolve));
}

async function end(): Promise<void> {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
}

const watch = (timeoutMs = 2_000) => new LxdWatch({ socket, timeoutMs, clock: systemClock });

describe('what is seen of LXD', () => {
  test.each([
    [200, 'serving'],
    [503, 'waiting'],
  ])('HTTP %s is %s', async (status, is) => {
    await begin(status);
    const seen = watch();
    await seen.look(signal);
    expect(seen.view()).toMatchObject({ is, said: `HTTP ${status}` });
  });

  test('all looks are one connection, since each costs a machine a process', async () => {
    await begin(200);
    const seen = watch();
    for (let look = 0; look < 5; look++) await seen.look(signal);
    expect([seen.view().is, connections]).toEqual(['serving', 1]);
  });

  test('an LXD that was started again meanwhile is seen by the next look', async () => {
    await begin(200);
    const seen = watch();
    await seen.look(signal);
    await end();
    await begin(503);
    await seen.look(signal);
    expect(seen.view()).toMatchObject({ is: 'waiting', said: 'HTTP 503' });
  });

  test('no LXD, and one that does not answer, are silent; the next that answers is not', async () => {
    const seen = watch(200);
    await seen.look(signal);
    expect(seen.view()).toMatchObject({ is: 'silent', said: expect.stringContaining('ENOENT') });
    await begin(undefined);
    await seen.look(signal);
    expect(seen.view()).toMatchObject({ is: 'silent', said: 'no answer within 200 ms' });
    await end();
    await begin(200);
    await seen.look(signal);
    expect(seen.view().is).toBe('serving');
  });
});
