import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { decode, encode, RECURSION_DESIRED } from 'dns-packet';
import { leaseMany } from './dhcp-load.js';

/**
 * Runs in a network namespace of a test and does there what it is told by lines of JSON on standard input: `{ id, do, … }` is answered by
 * `{ id, answer }`. It ends with its input.
 */
type Order = { readonly id: number; readonly do: keyof typeof ORDERS } & Readonly<Record<string, unknown>>;

interface Place {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

/** What became of a try: `open <what the server saw of us>`, an error's code, or `silent`. */
function tcp({ host, port, timeoutMs }: Place): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (outcome: string) => {
      clearTimeout(late);
      socket.destroy();
      resolve(outcome);
    };
    const late = setTimeout(() => end('silent'), timeoutMs);
    socket.on('data', (data) => end(`open ${data.toString().trim()}`));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on('end', () => end('ended'));
  });
}

function udp({ host, port, timeoutMs }: Place): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const end = (outcome: string) => {
      clearTimeout(late);
      socket.close();
      resolve(outcome);
    };
    const late = setTimeout(() => end('silent'), timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on('message', (data) => end(`open ${data.toString().trim()}`));
    // A connected socket is told of ICMP's refusals.
    socket.connect(port, host, () => socket.send('hello'));
  });
}

async function ask({ name, type, server, timeoutMs }: { name: string; type: 'A' | 'AAAA'; server: string; timeoutMs: number }) {
  const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
  try {
    return await new Promise<string[] | string>((resolve) => {
      setTimeout(() => resolve('silent'), timeoutMs).unref();
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on('message', (data) => {
        const packet = decode(data) as unknown as { rcode: string; answers: { data: string }[] };
        resolve(packet.rcode === 'NOERROR' ? packet.answers.map((answer) => answer.data) : packet.rcode);
      });
      const query = encode({ type: 'query', id: 7, flags: RECURSION_DESIRED, questions: [{ type, name }] });
      socket.connect(53, server, () => socket.send(query));
    });
  } finally {
    socket.close();
  }
}

const streams = new Map<string, { sent: number; received: number; failed: string | undefined; timer: NodeJS.Timeout; socket: Socket }>();

/** Keeps a connection to an echo busy with one line every some milliseconds. */
function hold({ name, host, port, everyMs }: { name: string; host: string; port: number; everyMs: number }): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const stream = { sent: 0, received: 0, failed: undefined as string | undefined, timer: setInterval(() => undefined, 1e6), socket };
    streams.set(name, stream);
    socket.once('data', (data) => {
      clearInterval(stream.timer);
      stream.timer = setInterval(() => {
        stream.sent += 1;
        socket.write('line\n');
      }, everyMs);
      resolve(`open ${data.toString().trim()}`);
      socket.on('data', (more) => {
        stream.received += more.toString().split('line\n').length - 1;
      });
    });
    const end = (why: string) => {
      stream.failed ??= why;
      clearInterval(stream.timer);
      resolve(why);
    };
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on('close', () => end('closed'));
  });
}

function held({ name }: { name: string }) {
  const stream = streams.get(name);
  return stream && { sent: stream.sent, received: stream.received, failed: stream.failed };
}

function letGo({ name }: { name: string }): string {
  const stream = streams.get(name);
  stream?.socket.destroy();
  streams.delete(name);
  return 'done';
}

/** Servers that first say who they see, then echo. */
async function serve({
  tcp: tcpPorts,
  udp: udpPorts,
  hosts = ['::'],
}: {
  tcp: number[];
  udp: number[];
  hosts?: string[];
}): Promise<string> {
  await Promise.all([
    ...tcpPorts.map((port) => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.write(`you are ${socket.remoteAddress?.replace('::ffff:', '')}\n`);
        socket.pipe(socket);
      });
      return new Promise<void>((resolve) => server.listen({ port, host: '::', backlog: 4096 }, resolve));
    }),
    ...udpPorts.flatMap((port) => hosts.map((host) => answering({ host, port }, (_data, from) => Buffer.from(`you are ${from}`)))),
  ]);
  return 'serving';
}

/** A DNS server that gives every name the same address. */
async function resolver({ host, address }: { host: string; address: string }): Promise<string> {
  await answering({ host, port: 53 }, (data) => {
    const { id, questions } = decode(data);
    const [question] = questions ?? [];
    const answers = question?.type === 'A' ? [{ type: 'A' as const, name: question.name, ttl: 1, data: address }] : [];
    return encode({ type: 'response', id: id ?? 0, questions: questions ?? [], answers });
  });
  return 'resolving';
}

/** Bound to an address, so that its answers come from there. */
function answering({ host, port }: { host: string; port: number }, answer: (data: Buffer, from: string) => Buffer): Promise<UdpSocket> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', () => undefined);
  socket.on('message', (data, from) => socket.send(answer(data, from.address), from.port, from.address));
  return new Promise((resolve) => socket.bind(port, host, () => resolve(socket)));
}

const ORDERS = { tcp, udp, ask, hold, held, letGo, serve, resolver, leaseMany };

createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const order = JSON.parse(line) as Order;
    const work = ORDERS[order.do] as (order: unknown) => unknown;
    let answer: unknown;
    try {
      answer = await work(order);
    } catch (error) {
      answer = { thrown: String(error) };
    }
    process.stdout.write(`${JSON.stringify({ id: order.id, answer })}\n`);
  })
  .on('close', () => process.exit(0));
process.stdout.write('{"id":0}\n');
