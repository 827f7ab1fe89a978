import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Logger } from 'pino';
import type { PortForward } from '#libs/contracts/operations.js';
import { portKey } from '#libs/domain/change.js';
import { Descriptors } from './descriptors.js';
import { Listeners } from './listeners.js';
import type { ListenerParts } from './streams.js';

const said: string[] = [];
let all: Listeners | undefined;
let ports: PortForward[];

beforeEach(async () => {
  said.length = 0;
  ports = await freePorts(100);
});
afterEach(() => all?.closeAll());

function listenersWith(options: { readonly limit: number; readonly openFiles?: number }): Listeners {
  const say = (_about: object, text: string) => said.push(text);
  all = new Listeners({
    parts: {} as ListenerParts,
    hostAddress: '127.0.0.1',
    limit: options.limit,
    descriptors: new Descriptors(options.openFiles ?? 20_000),
    log: { warn: say, info: say } as unknown as Logger,
    onUdpClosed: () => undefined,
  });
  return all;
}

/** Asked until all have one, at most for as long as listeners may linger and then some. */
async function complete(listeners: Listeners, wanted: PortForward[]): Promise<boolean> {
  const until = Date.now() + 10_000;
  while (Date.now() < until) {
    if (await listeners.ensure(wanted)) return true;
    await delay(50);
  }
  return false;
}

test('are never more than the limit, although many are opened at once; the rest is counted and said once', async () => {
  const listeners = listenersWith({ limit: 40 });
  expect(await listeners.ensure(ports)).toBe(false);
  expect(await listeners.ensure(ports)).toBe(false);
  expect([listeners.count, listeners.refused]).toEqual([40, 60]);
  expect(listeners.shortage).toContain('60 because of the limit of 40 listeners');
  expect(said).toEqual([expect.stringContaining('no more listeners')]);
}, 20_000);

test('of forwards that went make room for those that had none', async () => {
  const listeners = listenersWith({ limit: 40 });
  await listeners.ensure(ports);
  const [kept, gone] = [ports.slice(60), ports.slice(0, 60)];
  listeners.release(gone.map(portKey));
  expect(await complete(listeners, kept)).toBe(true);
  expect([listeners.count, listeners.refused, listeners.shortage]).toEqual([40, 0, undefined]);
  expect(said.at(-1)).toContain('every forward has its listener again');
}, 20_000);

test('are refused when no file may be opened any more, and do not fail', async () => {
  const listeners = listenersWith({ limit: 1_000, openFiles: 512 + 20 });
  expect(await listeners.ensure(ports)).toBe(false);
  expect([listeners.count, listeners.refused]).toEqual([20, 80]);
}, 20_000);

test('a port that somebody else has is said once and named, and had as soon as it is free', async () => {
  const [port] = ports as [PortForward];
  const other = createServer().listen(port.external, '127.0.0.1');
  await once(other, 'listening');
  const listeners = listenersWith({ limit: 40 });
  await listeners.ensure([port]);
  expect(await listeners.ensure([port])).toBe(false);
  expect(listeners.shortage).toContain(`1 because their ports cannot be had: ${portKey(port)}`);
  expect(said).toHaveLength(1);
  await new Promise((resolve) => other.close(resolve));
  expect(await listeners.ensure([port])).toBe(true);
}, 20_000);

/** Held all at once, so that they differ. */
async function freePorts(count: number): Promise<PortForward[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const found = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return found.map((external) => ({ protocol: 'tcp', external, internal: 80 }) as PortForward);
}
