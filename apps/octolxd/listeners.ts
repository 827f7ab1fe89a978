import { once } from 'node:events';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { OctolxdConfig } from '#libs/config/octolxd.js';
import type { ListenAddress } from '#libs/config/schemas.js';
import type { Logger } from '#libs/logging/logger.js';

export interface Listener {
  /** As it listens, with the port that the system chose. */
  readonly port: number;
  /** Takes no more requests; ends when those it has are answered, or with the deadline. */
  close(deadlineMs: number): Promise<void>;
}

/** Slow clients hold a connection no longer than this for a request's head. */
const HEAD_MS = 15_000;
const LOOK_AT_CERTIFICATE_MS = 60_000;
/** A client that takes nothing of its answer for so long is cut off. */
const SILENT_MS = 120_000;

/** HTTP, or HTTPS whose certificate is read again when its files change. */
export async function listenOn(
  { host, port }: ListenAddress,
  handler: RequestListener,
  { tls, log, silentMs = SILENT_MS }: { readonly tls: OctolxdConfig['tls']; readonly log: Logger; readonly silentMs?: number },
): Promise<Listener> {
  const limits = { headersTimeout: HEAD_MS, requestTimeout: HEAD_MS, keepAliveTimeout: 65_000 };
  const server = tls ? secure(tls, handler, { limits, log }) : createServer(limits, handler);
  server.setTimeout(silentMs);
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    close: (deadlineMs) => closed(server, deadlineMs),
  };
}

function secure(
  { certFile, keyFile }: NonNullable<OctolxdConfig['tls']>,
  handler: RequestListener,
  { limits, log }: { readonly limits: object; readonly log: Logger },
): Server {
  const read = () => ({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  const server = createTlsServer({ ...limits, ...read() }, handler);
  const changed = (): void => {
    try {
      server.setSecureContext(read());
      log.info({ certFile }, 'the certificate was read again');
    } catch (error) {
      log.error({ err: error, certFile }, 'the certificate cannot be read again; the old one stays');
    }
  };
  watchFile(certFile, { interval: LOOK_AT_CERTIFICATE_MS, persistent: false }, changed);
  server.once('close', () => unwatchFile(certFile, changed));
  return server;
}

async function closed(server: Server, deadlineMs: number): Promise<void> {
  const end = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const late = setTimeout(() => server.closeAllConnections(), deadlineMs);
  await end;
  clearTimeout(late);
}
