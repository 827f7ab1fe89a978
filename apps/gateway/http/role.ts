import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ListenAddress } from '#libs/config/schemas.js';
import type { Parts, Role } from '../role.js';
import { Waiting } from '../waiting.js';
import { createPassthrough } from './passthrough.js';
import { createProxy } from './proxy.js';

const LOOK_MS = 50;

/** Sites: HTTP by host name, TLS passed through by SNI. */
export async function startHttp(parts: Parts): Promise<Role> {
  const { config, metrics } = parts;
  const waiting = new Waiting(config.boot);
  metrics.waiters(() => waiting.count);
  const proxy = createProxy(parts, waiting);
  const passthrough = createPassthrough(parts, waiting);
  const open = new Set<Socket>();
  for (const server of [proxy, passthrough]) {
    server.on('connection', (socket: Socket) => {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    });
  }
  await Promise.all([listening(proxy, config.http.listen), listening(passthrough, config.http.tlsListen)]);
  return {
    notReady: () => ({}),
    async drain(deadlineMs) {
      proxy.close();
      passthrough.close();
      // Every answer from here on ends its connection.
      proxy.on('request', (_request, response) => {
        response.shouldKeepAlive = false;
      });
      const until = Date.now() + deadlineMs;
      while (open.size > 0 && Date.now() < until) {
        proxy.closeIdleConnections();
        await delay(LOOK_MS);
      }
      for (const socket of open) socket.destroy();
    },
  };
}

async function listening(server: Server, { host, port }: ListenAddress): Promise<void> {
  server.listen(port, host);
  await once(server, 'listening');
}
