import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Server as NetServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { GATEWAY_HEADER, GATEWAY_PROBE_PATH } from '#libs/contracts/gateway.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { createLogger } from '#libs/logging/logger.js';
import { dialUntil, type Target } from '#libs/net/dial.js';
import { latch } from '#libs/testing/latch.js';
import type { Boots } from '../boots.js';
import type { Directory, WebspaceView } from '../directory.js';
import { createMetrics } from '../metrics.js';
import type { Parts } from '../role.js';
import { Waiting } from '../waiting.js';
import { createProxy } from './proxy.js';

interface Site {
  readonly server: Server;
  readonly view: WebspaceView;
}

let sites: Site[];
let proxy: Server;
let port: number;
/** What a boot answers with; without it every webspace runs. */
let boot: (() => Promise<void>) | undefined;
let limits: { waiting: number; waitingPerWebspace: number };
const sockets = new Set<Socket>();

async function listening(server: NetServer): Promise<number> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A webspace whose container is a server of this process. */
async function site(
  name: string,
  serve: (request: IncomingMessage, response: import('node:http').ServerResponse) => void,
): Promise<Server> {
  const server = createServer(serve);
  const inside = await listening(server);
  const http = { port: inside, startupDelaySeconds: 1, sniPassthrough: false };
  const view = {
    name,
    uid: name,
    owner: '1',
    hosts: [`${name}.test`],
    http,
    ports: [],
    phase: 'stopped',
    suspended: false,
    address: '127.0.0.1',
  } as const;
  sites.push({ server, view });
  return server;
}

beforeEach(async () => {
  sites = [];
  boot = undefined;
  limits = { waiting: 100, waitingPerWebspace: 50 };
  const directory = {
    synced: true,
    byHost: (host: string) => sites.find(({ view }) => view.hosts.includes(host.toLowerCase().replace(/\.$/, '')))?.view,
  } as unknown as Directory;
  const boots = {
    holdMs: 5_000,
    accepts: async (target: Target, deadline: number) => {
      const socket = await dialUntil(target, deadline, new AbortController().signal);
      socket?.destroy();
      return socket !== undefined;
    },
    view: (name: string) => sites.find(({ view }) => view.name === name)?.view,
    started: async () => {
      await boot?.();
      return { changed: true, address: '127.0.0.1', at: Date.now() };
    },
  } as unknown as Boots;
  const log = createLogger({ name: 'test', level: 'silent' });
  const parts = { directory, boots, metrics: createMetrics(), log } as unknown as Parts;
  proxy = createProxy(parts, new Waiting(limits));
  port = await listening(proxy);
});

afterEach(async () => {
  const servers = [proxy, ...sites.map(({ server }) => server)];
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly trailers: IncomingMessage['trailers'];
}

function ask(
  host: string,
  options: { path?: string; method?: string; headers?: Record<string, string>; body?: Buffer | string } = {},
): Promise<Answer> {
  const { path = '/', method = 'GET', headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers: { host, ...headers }, agent: false });
    request.once('error', reject);
    request.once('response', async (response) => {
      const parts: Buffer[] = [];
      response.once('error', reject);
      for await (const part of response) parts.push(part as Buffer);
      resolve({
        status: response.statusCode,
        headers: response.headers,
        body: Buffer.concat(parts).toString(),
        trailers: response.trailers,
      });
    });
    request.end(body);
  });
}

/** All that is answered to raw bytes, until the gateway ends the connection or `enough` is there. */
async function raw(text: string, enough = /\r\n\r\n[\s\S]*\r\n\r\n[\s\S]*\r\n\r\n/): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    answer += part;
    if (enough.test(answer)) socket.destroy();
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

const echoing = (name: string) =>
  site(name, async (request, response) => {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const part of request) {
      hash.update(part as Buffer);
      bytes += (part as Buffer).length;
    }
    const { method, url, rawHeaders, trailers } = request;
    response.setHeader('trailer', 'x-sum');
    response.write(JSON.stringify({ name, method, url, rawHeaders, trailers, bytes, sha256: hash.digest('hex') }));
    response.addTrailers({ 'x-sum': 'abc' });
    response.end();
  });

describe('a request', () => {
  test('reaches the webspace of its host name, in any case, with port and trailing dot, several on one connection', async () => {
    await echoing('alice');
    await echoing('bob');
    for (const host of ['alice.test', 'ALICE.Test:8443', 'alice.test.'])
      expect(JSON.parse((await ask(host)).body)).toMatchObject({ name: 'alice' });
    const both = await raw(
      'GET /1 HTTP/1.1\r\nHost: alice.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: bob.test\r\nConnection: close\r\n\r\n',
      /never/,
    );
    expect([...both.matchAll(/"name":"(\w+)"/g)].map(([, name]) => name)).toEqual(['alice', 'bob']);
  });

  test('arrives as it was, but for what concerns its connection only', async () => {
    await echoing('alice');
    const headers = { 'X-Forwarded-For': '192.0.2.7', 'x-forwarded-proto': 'https', Connection: 'x-mine', 'X-Mine': 'no', 'X-Other': 'ä' };
    const { rawHeaders, url } = JSON.parse((await ask('alice.test', { path: '/a?b=c&d=%20', headers })).body) as {
      rawHeaders: string[];
      url: string;
    };
    expect(url).toBe('/a?b=c&d=%20');
    expect(rawHeaders).toEqual(expect.arrayContaining(['X-Forwarded-For', '192.0.2.7', 'x-forwarded-proto', 'https', 'X-Other', 'ä']));
    expect(rawHeaders).not.toContain('X-Mine');
  });

  test.each(['content-length', 'chunked'])(
    'with a body of 20 MB (%s) arrives whole, and its trailers, and those of the answer',
    async (how) => {
      await echoing('alice');
      const body = randomBytes(20_000_000);
      const headers: Record<string, string> =
        how === 'chunked' ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(body.length) };
      const answer = await ask('alice.test', { method: 'POST', headers, body });
      expect(JSON.parse(answer.body)).toMatchObject({ bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') });
      expect(answer.trailers).toEqual({ 'x-sum': 'abc' });
      const trailed = await raw(
        'POST / HTTP/1.1\r\nHost: alice.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\nConnection: close\r\n\r\n2\r\nab\r\n0\r\nX-T: yes\r\n\r\n',
        /never/,
      );
      expect(trailed).toContain('"trailers":{"x-t":"yes"},"bytes":2');
    },
  );

  test('that asks whether to go on is told so by the webspace', async () => {
    await echoing('alice');
    const request = httpRequest({
      ...{ host: '127.0.0.1', port, method: 'PUT', agent: false },
      headers: { host: 'alice.test', expect: '100-continue', 'content-length': 3 },
    });
    request.flushHeaders();
    await once(request, 'continue');
    request.end('abc');
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
  });

  test('is answered part by part, and what is cut off does not look whole', async () => {
    const seen = latch();
    await site('alice', (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      seen.opened.then(() => response.destroy());
    });
    const request = httpRequest({ host: '127.0.0.1', port, headers: { host: 'alice.test' }, agent: false }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(String((await once(response, 'data'))[0])).toBe('data: 1\n\n');
    seen.open();
    expect(await once(response, 'error')).toMatchObject([{ code: 'ECONNRESET' }]);
    expect(response.complete).toBe(false);
  });

  test('that may be sent again is, until the web server answers', async () => {
    let requests = 0;
    await site('alice', (request, response) => (++requests < 3 ? request.socket.destroy() : response.end('at last')));
    expect(await ask('alice.test')).toMatchObject({ status: 200, body: 'at last' });
    requests = 0;
    expect(await ask('alice.test', { method: 'POST', body: 'once' })).toMatchObject({ status: 503 });
    expect(requests).toBe(1);
  });
});

describe('an upgrade', () => {
  const UPGRADE = 'GET /socket HTTP/1.1\r\nHost: alice.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';

  test('gives the connection to the webspace', async () => {
    const server = await echoing('alice');
    server.on('upgrade', (request, socket) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`);
      socket.pipe(socket);
    });
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.write(UPGRADE);
    let answer = '';
    socket.setEncoding('latin1').on('data', (part: string) => {
      answer += part;
      if (answer.endsWith('\r\n\r\n')) socket.end('ping');
    });
    await once(socket, 'end');
    expect(answer).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nping$/);
  });

  test('that is refused is answered, and the connection carries no further request', async () => {
    const server = await echoing('alice');
    server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno'));
    const answer = await raw(`${UPGRADE}`, /never/);
    expect(answer).toMatch(/^HTTP\/1.1 426 Upgrade Required\r\n[\s\S]*no$/);
  });
});

describe('a visitor is told', () => {
  const html = { accept: 'text/html' };

  test('that a name is nobody’s', async () => {
    expect(await ask('eve.test', { headers: html })).toMatchObject({
      status: 404,
      body: expect.stringContaining('<h1>There is no site here</h1>'),
    });
  });

  test('the gateway itself, of any name, without a boot', async () => {
    await echoing('alice');
    boot = async () => Promise.reject(new Error('booted'));
    for (const host of ['alice.test', 'eve.test']) {
      const answer = await ask(host, { path: GATEWAY_PROBE_PATH });
      expect([answer.status, answer.headers[GATEWAY_HEADER]]).toEqual([200, expect.any(String)]);
    }
  });

  test('at once that a webspace is suspended, also while its container runs', async () => {
    await echoing('alice');
    sites = sites.map(({ server, view }) => ({ server, view: { ...view, phase: 'running', suspended: true } }));
    expect(await ask('alice.test', { headers: html })).toMatchObject({ status: 403, body: expect.stringContaining('is suspended') });
  });

  test.each([
    ['suspended', new PlatformError('CONFLICT', 'x', { details: { reason: 'suspended' } }), 403, /suspended/],
    ['failed', new PlatformError('OPERATION_FAILED', 'secret place', { details: { operation: 'boot:ws-u1:7' } }), 503, /boot:ws-u1:7/],
    [
      'slow',
      new PlatformError('UNAVAILABLE', 'secret place', { details: { reason: 'takes-long', operation: 'boot:ws-u1:7' } }),
      503,
      /takes long.*boot:ws-u1:7/s,
    ],
    ['unexpected', new Error('secret place'), 503, /could not be started/],
  ])('of a boot that is %s, without what the error says', async (_what, error, status, text) => {
    await echoing('alice');
    // It is off: nothing accepts there.
    sites = sites.map(({ server, view }) => ({ server, view: { ...view, address: '127.0.0.2' } }));
    boot = async () => Promise.reject(error);
    for (const headers of [html, {}]) {
      const answer = await ask('alice.test', { headers });
      expect(answer).toMatchObject({ status, body: expect.stringMatching(text) });
      expect(answer.body).not.toContain('secret');
      expect(/again (by itself )?in 2 seconds/.test(answer.body)).toBe(status === 503);
    }
  });

  test('to come again when too many wait', async () => {
    await echoing('alice');
    limits.waitingPerWebspace = 1;
    const asked = latch();
    const held = latch();
    boot = async () => {
      asked.open();
      await held.opened;
    };
    const first = ask('alice.test');
    await asked.opened;
    const second = await ask('alice.test', { headers: html });
    expect(second).toMatchObject({ status: 503, headers: { 'retry-after': '5' }, body: expect.stringContaining('http-equiv="refresh"') });
    held.open();
    expect((await first).status).toBe(200);
  });
});

describe('what two servers might read differently is refused', () => {
  test.each([
    ['two lengths', 'POST / HTTP/1.1\r\nHost: alice.test\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd'],
    ['length and chunks', 'POST / HTTP/1.1\r\nHost: alice.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['another last encoding', 'POST / HTTP/1.1\r\nHost: alice.test\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n'],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: alice.test\r\nHost: bob.test\r\n\r\n'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['a host with a path', 'GET / HTTP/1.1\r\nHost: alice.test/x\r\n\r\n'],
    ['an address for a path', 'GET http://bob.test/ HTTP/1.1\r\nHost: alice.test\r\n\r\n'],
    ['a folded header', 'GET / HTTP/1.1\r\nHost: alice.test\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : alice.test\r\n\r\n'],
    ['a bare line feed', 'GET / HTTP/1.1\nHost: alice.test\n\nGET /2 HTTP/1.1\r\nHost: bob.test\r\n\r\n'],
  ])('%s', async (_what, text) => {
    const reached: (string | undefined)[] = [];
    for (const name of ['alice', 'bob']) {
      await site(name, (request, response) => {
        reached.push(`${name}${request.url}`);
        response.end();
      });
    }
    expect(await raw(text, /\r\n\r\n/)).toMatch(/^HTTP\/1.1 400 /);
    expect(reached).toEqual([]);
  });
});
