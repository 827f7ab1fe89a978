import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** The connection of a request that asks to become a WebSocket. */
export interface Upgrade {
  readonly socket: Socket;
  /** What has already arrived of what comes after the request. */
  readonly head: Buffer;
  readonly response: ServerResponse;
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>();

/** Undefined when the request does not ask for a WebSocket. */
export function upgradeOf(request: IncomingMessage): Upgrade | undefined {
  return upgrades.get(request);
}

/**
 * Lets requests for a WebSocket go through the routes as any other: through guard, checks and error answers, until a handler takes the connection
 * from {@link upgradeOf}. Node hands over every request that has an Upgrade header, its body unread; one that asks for anything but a WebSocket
 * (HTTP/2, as some clients offer with each request) is served as if it had not asked (RFC 9110, 7.8).
 */
export function serveUpgrades(fastify: FastifyInstance): void {
  const server = fastify.server as Server;
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (!asksForWebSocket(request)) return serveAnew(server, request, { socket, head });
    const response = new ServerResponse(request);
    // Answered over HTTP, the connection ends: what follows is no HTTP.
    response.shouldKeepAlive = false;
    response.on('finish', () => socket.end());
    socket.on('error', () => socket.destroy());
    response.assignSocket(socket);
    upgrades.set(request, { socket, head, response });
    fastify.routing(request, response);
  });
}

function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && /^websocket$/i.test(headers.upgrade ?? '');
}

function serveAnew(server: Server, { method, url, httpVersion, rawHeaders }: IncomingMessage, { socket, head }: Omit<Upgrade, 'response'>) {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (!/^(upgrade|http2-settings)$/i.test(name)) lines.push(`${name}: ${withoutUpgrade(name, rawHeaders[at + 1] as string)}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}

function withoutUpgrade(name: string, value: string): string {
  if (!/^connection$/i.test(name)) return value;
  return value
    .split(',')
    .map((option) => option.trim())
    .filter((option) => !/^(upgrade|http2-settings)$/i.test(option))
    .join(', ');
}
