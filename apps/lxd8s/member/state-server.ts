import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { MemberState } from './state.js';

export interface StateServer {
  readonly port: number;
  close(): Promise<void>;
}

/** `/state` and `/metrics`, for the endpoint beside it, for other members, and for people. It holds no secret and changes nothing. */
export async function startStateServer(
  listen: { readonly host: string; readonly port: number },
  state: () => MemberState,
  metrics: Registry,
): Promise<StateServer> {
  const server = createServer(async (request, response) => {
    if (request.url === '/metrics') return response.writeHead(200, { 'content-type': metrics.contentType }).end(await metrics.metrics());
    const found = request.url === '/state';
    const body = found ? state() : { message: 'There is /state and /metrics.' };
    return response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
