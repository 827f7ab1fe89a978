import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect, test } from '@jest/globals';
import { mayRead } from './state-readers.js';

const by = (remoteAddress: string | undefined) => ({ socket: { remoteAddress } }) as never;

test.each([
  ['127.0.0.1', true],
  ['127.0.1.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['10.42.0.7', false],
  ['::ffff:10.42.0.7', false],
  ['fe80::1', false],
  ['fd00::127.0.0.1', false],
  [undefined, false],
])('the state of a member is for the pod: %s %s', (address, may) => {
  expect(mayRead(by(address), 'pod')).toBe(may);
  expect(mayRead(by(address), 'anyone')).toBe(true);
});

test('a caller who reaches the port by another address of the machine is none of the pod’s', async () => {
  const server = createServer((request, response) => void response.end(String(mayRead(request, 'pod'))));
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const { port } = server.address() as AddressInfo;
  const own = Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .find(({ family, internal }) => family === 'IPv4' && !internal);
  const ask = async (host: string) => (await fetch(`http://${host}:${port}`)).text();
  try {
    expect(await ask('127.0.0.1')).toBe('true');
    // A machine without a network has no other address.
    if (own) expect(await ask(own.address)).toBe('false');
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
