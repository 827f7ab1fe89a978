import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { WebSocketServer } from 'ws';
import type { AttachedById } from './exec.js';
import type { FaultKind, ForeignAnswer } from './faults.js';
import { type DoubleRequest, Refusal, type Reply, refuse } from './reply.js';
import { route } from './routes.js';
import type { World } from './world.js';

const FOREIGN: Readonly<Record<ForeignAnswer, Reply>> = {
  html: { status: 404, headers: { 'content-type': 'text/html' }, body: '<html><body>404 Not Found</body></html>' },
  empty: { status: 200, body: '' },
  object: { status: 200, headers: { 'content-type': 'application/json' }, body: '{}' },
  'proxy-error': { status: 502, headers: { 'content-type': 'text/html' }, body: '<html>Bad Gateway</html>' },
};

/** The double's HTTP side: faults first, then the routes. */
export class DoubleServer {
  /** `METHOD /path?query` of each request, in order. */
  readonly requests: string[] = [];
  readonly attachments: AttachedById = new Map();
  readonly #world: World;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Duplex>();
  readonly #upgrades = new WebSocketServer({ noServer: true, autoPong: false });

  constructor(world: World) {
    this.#world = world;
  }

  async listen(where: string | { readonly cert: string; readonly key: string }): Promise<Server> {
    const listener: RequestListener = (request, response) => void this.#answer(request, response);
    const tls = typeof where !== 'string';
    const server = tls ? createTlsServer({ ...where, requestCert: true, rejectUnauthorized: false }, listener) : createServer(listener);
    // As Go's server: an idle connection stays open.
    server.keepAliveTimeout = 0;
    server.on(tls ? 'secureConnection' : 'connection', (socket: Duplex) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if (tls) server.listen(0, '127.0.0.1', resolve);
      else server.listen(where, resolve);
    });
    this.#servers.push(server);
    return server;
  }

  /** Ends every connection, with whatever is under way on it. */
  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    this.cutConnections();
    await Promise.all(closed);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const line = `${request.method} ${request.url}`;
    this.requests.push(line);
    const body = await bodyOf(request);
    const fault = this.#world.faults.take(line);
    if (fault?.kind === 'drop') return void request.socket.destroy();
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'delay') await this.#world.pause(fault.ms);
    const reply = faultReply(fault) ?? (await route(this.#caller(request), parsed(request, body)));
    if (fault?.kind === 'drop-answer') return void request.socket.destroy();
    response.writeHead(reply.status, { ...reply.headers, 'content-length': Buffer.byteLength(reply.body) }).end(reply.body);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const line = `${request.method} ${request.url}`;
    this.requests.push(line);
    const { parts, query } = parsed(request, Buffer.alloc(0));
    try {
      const fault = this.#world.faults.take(line);
      if (fault?.kind === 'drop') return void socket.destroy();
      const reply = faultReply(fault);
      if (reply) throw new Refusal(reply.status, fault?.kind === 'error' ? fault.text : 'fault');
      if (!this.#caller(request).trusted) throw new Refusal(403, 'not authorized');
      if (parts[0] === 'events') {
        const types = query.get('type')?.split(',') ?? [];
        this.#upgrades.handleUpgrade(request, socket, head, (opened) => this.#world.hub.add(opened, types));
      } else if (parts[0] === 'operations' && parts[2] === 'websocket') {
        const attached = this.attachments.get(parts[1] ?? '');
        if (!attached) throw new Refusal(404, 'Operation not found');
        const fd = attached.fdOf(query.get('secret') ?? '');
        this.#upgrades.handleUpgrade(request, socket, head, (opened) => attached.add(fd, opened));
      } else throw new Refusal(400, 'Bad Request');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { body } = refuse(error.status, error.message);
      socket.end(`HTTP/1.1 ${error.status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    }
  }

  #caller({ socket }: IncomingMessage) {
    return { world: this.#world, attachments: this.attachments, trusted: isTrusted(socket as TLSSocket, this.#world) };
  }
}

function isTrusted(socket: TLSSocket, world: World): boolean {
  if (socket.encrypted !== true) return true;
  const certificate = socket.getPeerX509Certificate();
  return certificate !== undefined && world.certificates.has(createHash('sha256').update(certificate.raw).digest('hex'));
}

function faultReply(fault: FaultKind | undefined): Reply | undefined {
  if (fault?.kind === 'error') return refuse(fault.status, fault.text);
  return fault?.kind === 'foreign' ? FOREIGN[fault.answer] : undefined;
}

function parsed(request: IncomingMessage, body: Buffer): DoubleRequest {
  const [path = '', search = ''] = (request.url ?? '').split('?');
  const parts = path.split('/').slice(2).map(decodeURIComponent);
  return { method: request.method ?? 'GET', parts, query: new URLSearchParams(search), headers: request.headers, body };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    // The client went away in the middle of its request: nobody reads the answer.
  }
  return Buffer.concat(chunks);
}
