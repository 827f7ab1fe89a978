import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { addressAnswers, dialUntil } from './dial.js';

const soon = () => Date.now() + 200;

async function listening() {
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, target: { address: '127.0.0.1', port: (server.address() as AddressInfo).port } };
}

test('an address answers when its port accepts, and also when it refuses, at once', async () => {
  const { server, target } = await listening();
  expect(await addressAnswers(target, soon())).toBe(true);
  server.close();
  await once(server, 'close');
  const begun = Date.now();
  expect(await addressAnswers(target, Date.now() + 30_000)).toBe(true);
  expect(Date.now() - begun).toBeLessThan(5_000);
});

test('an address that cannot be reached does not answer', async () => {
  expect(await addressAnswers({ address: '255.255.255.255', port: 9 }, soon())).toBe(false);
});

test('a port that refuses is tried until the deadline', async () => {
  const { server, target } = await listening();
  server.close();
  await once(server, 'close');
  let refusals = 0;
  const counted = {
    onRefused: () => {
      refusals += 1;
    },
  };
  expect(await dialUntil(target, soon(), new AbortController().signal, counted)).toBeUndefined();
  expect(refusals).toBeGreaterThan(2);
});
