import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PlatformError } from '#libs/errors/platform-error.js';
import { dialUntil } from '#libs/net/dial.js';
import type { Boots } from './boots.js';
import type { WebspaceView } from './directory.js';
import { reach } from './reach.js';

let server: Server;
let port: number;
let view: WebspaceView;
let boots: number;
/** What the directory says after each boot, in turn. */
let phases: WebspaceView['phase'][];
/** Where each boot says the container is. */
let addresses: string[];
/** What becomes of a boot instead. */
let failure: PlatformError | undefined;

beforeEach(async () => {
  server = createServer((socket) => socket.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
  const http = { port, startupDelaySeconds: 0.05, sniPassthrough: false };
  view = { name: 'ws-u1', uid: 'a', owner: '1', hosts: [], http, ports: [], phase: 'stopped', suspended: false, address: '127.0.0.1' };
  boots = 0;
  phases = ['running'];
  addresses = [];
  failure = undefined;
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

/** As it is without anybody else who waits. */
const accepts: Boots['accepts'] = async (target, deadline) => {
  const socket = await dialUntil(target, deadline, new AbortController().signal);
  socket?.destroy();
  return socket !== undefined;
};

const visit = (signal = new AbortController().signal) =>
  reach(
    {
      holdMs: 1_000,
      accepts,
      view: () => ({ ...view, phase: phases[boots - 1] ?? 'running' }),
      started: async () => {
        if (failure) throw failure;
        return { changed: true, address: addresses[boots++] ?? '127.0.0.1', at: Date.now() };
      },
    } as unknown as Boots,
    view,
    port,
    { trigger: 'http', visited: 'alice', signal },
  );
/** Nothing listens there. */
const NOWHERE = '127.0.0.2';

test('is a connection after one boot, and needs none while it runs', async () => {
  (await visit()).destroy();
  expect(boots).toBe(1);
  view = { ...view, phase: 'running' };
  (await visit()).destroy();
  expect(boots).toBe(1);
});

test('of one that was stopped again meanwhile boots once more', async () => {
  addresses = [NOWHERE, NOWHERE];
  phases = ['stopping', 'stopped', 'running'];
  (await visit()).destroy();
  expect(boots).toBe(3);
});

test('of one that runs and does not listen ends with its start-up delay', async () => {
  addresses = [NOWHERE];
  await expect(visit()).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'not-listening' } });
  expect(boots).toBe(1);
});

test('of one that never gets as far is held no longer than a visitor may be', async () => {
  addresses = Array(100).fill(NOWHERE);
  phases = Array(100).fill('stopped');
  await expect(visit()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(boots).toBeGreaterThan(3);
});

test('of one that is deleted meanwhile finds none', async () => {
  addresses = [NOWHERE];
  view = { ...view, uid: 'a' };
  const gone = reach(
    {
      holdMs: 1_000,
      accepts,
      view: () => undefined,
      started: async () => ({ changed: true, address: NOWHERE, at: Date.now() }),
    } as unknown as Boots,
    view,
    port,
    { trigger: 'port', visited: '50000', signal: new AbortController().signal },
  );
  await expect(gone).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

describe('where no boot can be asked for', () => {
  beforeEach(() => {
    failure = new PlatformError('UNAVAILABLE', 'Temporal is away.');
  });

  test('one that accepts all the same is reached', async () => {
    (await visit()).destroy();
  });

  test('one that is off ends with what became of the boot', async () => {
    view = { ...view, address: NOWHERE };
    await expect(visit()).rejects.toBe(failure);
  });

  test('a paused one is left alone: it would accept, and be silent', async () => {
    phases = ['paused'];
    boots = 1;
    await expect(visit()).rejects.toBe(failure);
  });

  test('a boot that failed by itself stays failed', async () => {
    failure = new PlatformError('OPERATION_FAILED', 'LXD cannot.');
    await expect(visit()).rejects.toBe(failure);
  });
});
