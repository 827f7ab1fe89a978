import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { waitFor } from '#lab/wait.js';
import { openSession, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { type SiteInside, serveInside } from '../support/site-inside.js';

let session: Session;
let member: Member;
let inside: SiteInside;
const PORT = 8080;

beforeAll(async () => {
  session = await openSession();
  const { lab, members } = session;
  member = members.one(0);
  await members.create(member);
  await members.expect(200, member, 'PATCH', '/config', { httpPort: PORT });
  inside = await serveInside(lab, member.webspace, PORT, site());
}, 180_000);
afterAll(async () => {
  await inside?.close();
  await session?.close();
}, 120_000);

/** Says a first event at once and a second one only when somebody asks for `/go`. */
function site(): Server {
  let go = (): void => undefined;
  const server = createServer((incoming, response) => {
    if (incoming.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
      go = () => response.end('data: second\n\n');
    } else if (incoming.url === '/go') {
      go();
      response.writeHead(204).end();
    } else if (incoming.url === '/trailers') {
      incoming.resume().on('end', () => {
        response.writeHead(200, { trailer: 'checksum' });
        response.write(JSON.stringify(incoming.trailers));
        response.addTrailers({ checksum: '42' });
        response.end();
      });
    } else {
      let bytes = 0;
      incoming.on('data', (part: Buffer) => {
        bytes += part.length;
      });
      incoming.on('end', () => response.end(`${incoming.method} ${bytes} ${incoming.headers['x-forwarded-host']}`));
    }
  });
  // Of a container that is stopped by force Traefik keeps connections that lead nowhere; here it keeps none.
  server.maxRequestsPerSocket = 1;
  // A body that is not wanted is refused before it is sent.
  server.on('checkContinue', (incoming, response) => {
    if (incoming.url === '/unwanted') return void response.writeHead(413, { connection: 'close' }).end('too large');
    response.writeContinue();
    server.emit('request', incoming, response);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
  return server;
}

function base(): RequestOptions & { ca: string } {
  const { lab } = session;
  const host = `${member.username}.${lab.profile.baseDomain}`;
  const ca = readFileSync(lab.caFile, 'utf8');
  return { host: '127.0.0.1', servername: host, port: lab.profile.ports.websecure, ca, headers: { host }, agent: false };
}

function answerTo(options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { headers, ...rest } = base();
    const sent = request({ ...rest, ...options, headers: { ...headers, ...options.headers } as Record<string, string> }, resolve);
    sent.once('error', reject);
    sent.setTimeout(30_000, () => sent.destroy(new Error('no answer within 30 s')));
    sent.end();
  });
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of answer) text += String(part);
  return text;
}

const cases: [string, () => Promise<void>][] = [
  [
    'a WebSocket',
    async () => {
      const { host, headers, port, ca, servername } = base();
      const options = { headers: headers as Record<string, string>, ca, servername: servername ?? '' };
      const socket = new WebSocket(`wss://${host}:${port}/socket`, options);
      const said: string[] = [];
      socket.on('message', (data) => said.push(String(data)));
      const ended = new Promise((resolve, reject) => socket.once('close', (code) => resolve(code)).once('error', reject));
      socket.once('open', () => {
        socket.send('hello');
        socket.send('x'.repeat(100_000));
      });
      await waitFor('both echoes', async () => said.length === 2, { timeoutMs: 30_000, intervalMs: 10 });
      expect(said.map((text) => text.length)).toEqual([5, 100_000]);
      socket.close(1000);
      expect(await ended).toBe(1000);
    },
  ],
  [
    'server-sent events, each as soon as it is sent',
    async () => {
      const answer = await answerTo({ path: '/events' });
      expect(answer.headers['content-type']).toBe('text/event-stream');
      let said = '';
      const ended = new Promise((resolve, reject) => answer.once('end', resolve).once('error', reject));
      answer.on('data', (part) => {
        said += String(part);
      });
      await waitFor('the first event', async () => said === 'data: first\n\n', { timeoutMs: 10_000, intervalMs: 10 });
      expect((await answerTo({ path: '/go' })).statusCode).toBe(204);
      await ended;
      expect(said).toBe('data: first\n\ndata: second\n\n');
    },
  ],
  [
    'a body that is sent only when it is wanted',
    async () => {
      const upload = (path: string) =>
        new Promise<string>((resolve, reject) => {
          const { headers, ...rest } = base();
          const body = Buffer.alloc(1_000_000, 'x');
          let continued = false;
          const length = { expect: '100-continue', 'content-length': String(body.length) };
          const sent = request({ ...rest, path, method: 'PUT', headers: { ...(headers as Record<string, string>), ...length } });
          sent.once('continue', () => {
            continued = true;
            sent.end(body);
          });
          sent.once('response', async (answer) => {
            resolve(`${continued} ${answer.statusCode} ${await textOf(answer)}`);
            sent.destroy();
          });
          sent.once('error', reject);
          sent.flushHeaders();
        });
      const { username } = member;
      const { baseDomain, ports } = session.lab.profile;
      const host = `${username}.${baseDomain}`;
      expect([`true 200 PUT 1000000 ${host}`, `true 200 PUT 1000000 ${host}:${ports.websecure}`]).toContain(await upload('/wanted'));
      expect(await upload('/unwanted')).toBe('false 413 too large');
    },
  ],
  [
    'trailers',
    async () => {
      const answer = await answerTo({ path: '/trailers' });
      expect(await textOf(answer)).toBe('{}');
      expect(answer.trailers['checksum']).toBe('42');
    },
  ],
  [
    'a request for the head only',
    async () => {
      const answer = await answerTo({ path: '/', method: 'HEAD' });
      expect([answer.statusCode, await textOf(answer)]).toEqual([200, '']);
    },
  ],
];

describe('passes to a webspace and back', () => {
  it.each(cases)(
    '%s: as the first contact with one that is off, and with one that runs',
    async (_, meets) => {
      const { cluster, lab } = session;
      if ((await cluster.phase(member.webspace)) !== 'stopped') {
        await lab.lxc(['stop', '--force', member.webspace]);
        await waitFor('the route to the gateway', async () => (await cluster.target(member.webspace)) === 'webspaces-gateway', {
          timeoutMs: 20_000,
        });
      }
      await waitFor('the phase', async () => (await cluster.phase(member.webspace)) === 'stopped', { timeoutMs: 20_000 });
      await meets();
      await waitFor('the route to the container', async () => (await cluster.target(member.webspace)) === member.webspace, {
        timeoutMs: 20_000,
      });
      await meets();
    },
    90_000,
  );
});
