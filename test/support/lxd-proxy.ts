import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

interface Answer {
  readonly status_code?: number;
  readonly metadata?: unknown;
  readonly [field: string]: unknown;
}

/** What stands between a process and LXD: passes everything on, and lies about it on request. */
export interface LxdProxy {
  readonly socket: string;
  /** Another LXD at the same address from now on, or the first one again. */
  leadTo(upstream?: string): void;
  /** Changes the JSON of answers to GETs; gets the path without its query. Undefined leaves it as it is. */
  rewrite: ((path: string, answer: Answer) => Answer | undefined) | undefined;
  /** Paths of GETs that are answered with 500 instead of being passed on. */
  broken: ((path: string) => boolean) | undefined;
  /** What becomes of requests other than GETs: `stuck` ones neither reach LXD nor are answered, `refused` ones are answered with 500. */
  writes: 'pass' | 'stuck' | 'refused';
  /** Cuts the event streams that are open, and lets no new one in until the returned function is called. */
  cutEvents(): () => void;
  /** Truth again. */
  honest(): void;
  close(): Promise<void>;
}

/** A proxy on a unix socket of its own in front of LXD's. */
export async function startLxdProxy(first: string): Promise<LxdProxy> {
  let upstream = first;
  const folder = mkdtempSync(join(tmpdir(), 'lxd-proxy-'));
  const socket = join(folder, 'unix.socket');
  const open = new Set<Duplex>();
  const streams = new Set<Duplex>();
  let eventsRefused = false;
  const server = createServer((incoming, outgoing) => {
    const path = (incoming.url ?? '').split('?')[0] ?? '';
    if (incoming.method === 'GET' && proxy.broken?.(path)) return refuse(outgoing);
    const { method = 'GET', url, headers } = incoming;
    if (method !== 'GET' && proxy.writes === 'stuck') return;
    if (method !== 'GET' && proxy.writes === 'refused') return refuse(outgoing);
    const onward = request({ socketPath: upstream, method, path: url, headers, agent: false }, (answer) => {
      const change = method === 'GET' ? proxy.rewrite : undefined;
      if (change && /json/.test(String(answer.headers['content-type']))) void rewritten(answer, outgoing, (json) => change(path, json));
      else answer.pipe(outgoing.writeHead(answer.statusCode ?? 502, answer.headers));
    });
    // LXD is gone: so is the connection, as without a proxy.
    onward.on('error', () => incoming.socket.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  server.on('connection', (connection) => remember(open, connection));
  server.on('upgrade', (incoming, connection: Socket, head) => {
    if (eventsRefused && incoming.url?.includes('/events')) return connection.destroy();
    const onward = connect(upstream);
    if (incoming.url?.includes('/events')) remember(streams, connection);
    onward.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${rawHeaders(incoming)}\r\n\r\n`);
    onward.write(head);
    connection.pipe(onward).pipe(connection);
    for (const [one, other] of [
      [connection, onward],
      [onward, connection],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const proxy: LxdProxy = {
    socket,
    leadTo: (next = first) => {
      upstream = next;
      for (const connection of open) connection.destroy();
    },
    rewrite: undefined,
    broken: undefined,
    writes: 'pass',
    cutEvents: () => {
      eventsRefused = true;
      for (const stream of streams) stream.destroy();
      return () => {
        eventsRefused = false;
      };
    },
    honest: () => {
      proxy.rewrite = undefined;
      proxy.broken = undefined;
      proxy.writes = 'pass';
      eventsRefused = false;
      if (upstream !== first) proxy.leadTo();
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const connection of open) connection.destroy();
      await closed;
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return proxy;
}

function remember(set: Set<Duplex>, connection: Duplex): void {
  set.add(connection);
  connection.on('close', () => set.delete(connection));
}

async function rewritten(answer: IncomingMessage, outgoing: ServerResponse, change: (json: Answer) => Answer | undefined): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const body = JSON.stringify(change(JSON.parse(text) as Answer) ?? JSON.parse(text));
  const { 'content-length': _length, 'transfer-encoding': _encoding, ...headers } = answer.headers;
  outgoing.writeHead(answer.statusCode ?? 502, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}

function refuse(outgoing: ServerResponse): void {
  const body = { type: 'error', error: 'Missing event connection with target cluster member', error_code: 500, metadata: null };
  outgoing.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function rawHeaders({ rawHeaders: raw }: IncomingMessage): string {
  return raw.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${raw[i + 1]}`] : [])).join('\r\n');
}
