import { createServer, type Server, type Socket } from 'node:net';
import type { PortForward } from '#libs/contracts/operations.js';
import { portKey } from '#libs/domain/change.js';
import type { WebspaceView } from '../directory.js';
import { reach } from '../reach.js';
import { joined } from '../stream.js';
import { proxyHeader } from './proxy-header.js';
import { forwardAt, type ListenerParts, turnedAway } from './streams.js';

const KEEP_ALIVE_MS = 60_000;
const BACKLOG = 4_096;

export interface Listener {
  /** Flows that need its socket. */
  readonly flows: number;
  /** Takes no more visitors; those it has go on. */
  close(): void;
}

export interface ListenOptions {
  readonly external: number;
  readonly hostAddress: string;
}

/** Listens at a forwarded TCP port. @throws the system's own error (EADDRINUSE, EMFILE …). */
export function listenTcp(parts: ListenerParts, { external, hostAddress }: ListenOptions): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => void serve(parts, external, client));
  return listening(server, external, hostAddress);
}

function listening(server: Server, port: number, host: string): Promise<Listener> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.off('error', reject);
      // A connection that could not be accepted (no file descriptor) is that client's loss only.
      server.on('error', () => undefined);
      resolve({ flows: 0, close: () => server.close() });
    });
  });
}

async function serve(parts: ListenerParts, external: number, client: Socket): Promise<void> {
  const { directory, streams, metrics, waiting, boots } = parts;
  client.on('error', () => client.destroy());
  const found = forwardAt(directory, 'tcp', external);
  if (!found || !streams.begin()) {
    metrics.refused('port', found ? 'streams' : 'unknown-port');
    client.resetAndDestroy();
    return;
  }
  const { view, port } = found;
  client.once('close', () => streams.end());
  const left = new AbortController();
  client.once('close', () => left.abort());
  const visited = `port ${external}`;
  const begun = performance.now();
  try {
    const target = await waiting.during(view.uid, () =>
      reach(boots, view, port.internal, { trigger: 'port', visited, signal: left.signal }),
    );
    metrics.held('port', (performance.now() - begun) / 1000);
    await stream(parts, client, target, { view, port });
  } catch (error) {
    turnedAway(parts, error, { webspace: view.name, port: portKey(port) });
    client.resetAndDestroy();
  }
}

async function stream(
  { traffic, metrics }: ListenerParts,
  client: Socket,
  target: Socket,
  { view, port }: { readonly view: WebspaceView; readonly port: PortForward },
): Promise<void> {
  target.on('error', () => target.destroy());
  if (client.destroyed) {
    target.destroy();
    return;
  }
  for (const socket of [client, target]) socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = client;
  const ends = { clientAddress: remoteAddress, clientPort: remotePort, address: localAddress, port: localPort };
  const streamed = joined(client, target, port.proxyProtocol ? proxyHeader(ends) : undefined);
  const seen = () => traffic.seen(view.name);
  seen();
  for (const socket of [client, target]) socket.on('data', seen);
  const { there, back } = await streamed;
  metrics.streamed('port', there, back);
}
