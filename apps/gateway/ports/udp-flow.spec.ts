import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { KEPT_BYTES, type Target, UdpFlow } from './udp-flow.js';

const sockets: Socket[] = [];
const flows: UdpFlow[] = [];
afterEach(() => {
  for (const flow of flows.splice(0)) flow.end();
  for (const socket of sockets.splice(0)) socket.close();
});

async function server(port = 0): Promise<{ readonly socket: Socket; readonly port: number }> {
  const socket = createSocket('udp4').bind(port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'listening');
  return { socket, port: (socket.address() as AddressInfo).port };
}

const targetAt = (port: number): Target => ({ address: '127.0.0.1', port, deadline: Date.now() + 5_000 });

function flowTo(target: () => Promise<Target>, answer: (datagram: Buffer) => void = () => undefined): UdpFlow {
  const flow = new UdpFlow({ target, answer, ended: () => undefined });
  flows.push(flow);
  return flow;
}

test('what was sent before the webspace ran arrives in its order, and the answer comes back', async () => {
  const { socket, port } = await server();
  const got: string[] = [];
  socket.on('message', (datagram, from) => {
    got.push(datagram.toString());
    if (got.length === 2) socket.send('answer', from.port, from.address);
  });
  let started: (target: Target) => void = () => undefined;
  const answered = new Promise<string>((resolve) => {
    const target = new Promise<Target>((give) => {
      started = give;
    });
    const flow = flowTo(
      () => target,
      (datagram) => resolve(datagram.toString()),
    );
    flow.send(Buffer.from('one'));
    flow.send(Buffer.from('two'));
  });
  started(targetAt(port));
  expect(await answered).toBe('answer');
  expect(got).toEqual(['one', 'two']);
});

test('what a port refused that was not open yet is sent again', async () => {
  const { socket, port } = await server();
  sockets.pop();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  const flow = flowTo(async () => targetAt(port));
  flow.send(Buffer.from('early'));
  const refused = createSocket('udp4');
  sockets.push(refused);
  refused.connect(port, '127.0.0.1');
  await once(refused, 'connect');
  refused.send('x');
  // Refused here, so the flow's datagram, sent before, was refused too.
  await once(refused, 'error');
  const late = await server(port);
  const [datagram] = (await once(late.socket, 'message')) as [Buffer];
  expect(datagram.toString()).toBe('early');
});

test('no more is kept than is said, and what fails is told once', async () => {
  const { socket, port } = await server();
  let bytes = 0;
  const last = new Promise<void>((resolve) =>
    socket.on('message', (datagram) => {
      bytes += datagram.length;
      if (datagram.toString() === 'end') resolve();
    }),
  );
  let started: (target: Target) => void = () => undefined;
  const flow = flowTo(
    () =>
      new Promise<Target>((give) => {
        started = give;
      }),
  );
  for (let i = 0; i < 100; i++) flow.send(Buffer.alloc(2_000));
  flow.send(Buffer.from('end'));
  started(targetAt(port));
  await last;
  expect(bytes).toBeLessThanOrEqual(KEPT_BYTES);
  const told: unknown[] = [];
  const failing = new UdpFlow({
    target: () => Promise.reject(new Error('no')),
    answer: () => undefined,
    ended: (error) => told.push(error),
  });
  await new Promise((resolve) => setImmediate(resolve));
  failing.end();
  expect(told.map(String)).toEqual(['Error: no']);
});
