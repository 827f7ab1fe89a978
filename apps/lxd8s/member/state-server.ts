import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { StateFor } from '#libs/config/lxd8s.js';
import { mayRead, POD_ONLY } from '../state-readers.js';
import type { MemberState } from './state.js';

export interface StateServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * `/state`, for the endpoint beside it and for people; `/peer`, of it what a member has to know before it makes a cluster, for all; `/metrics`.
 * It holds no secret and changes nothing.
 */
export async function startStateServer(
  { listen, stateFor }: { readonly listen: { readonly host: string; readonly port: number }; readonly stateFor: StateFor },
  state: () => MemberState,
  metrics: Registry,
): Promise<StateServer> {
  const server = createServer(async (request, response) => {
    if (request.url === '/metrics') return response.writeHead(200, { 'content-type': metrics.contentType }).end(await metrics.metrics());
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    if (request.url === '/peer') {
      const { member, clustered } = state();
      return json(200, { member, clustered });
    }
    if (request.url !== '/state') return json(404, { message: 'There is /state, /peer and /metrics.' });
    return mayRead(request, stateFor) ? json(200, state()) : json(POD_ONLY.status, POD_ONLY.body);
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
