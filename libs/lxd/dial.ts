import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { PlatformError } from '#libs/errors/platform-error.js';

/** Where an LXD is: its unix socket, or its HTTPS address with our client certificate and the server certificate that we pin. */
export type LxdAddress =
  | { readonly socket: string }
  | {
      readonly url: string;
      readonly clientCertFile: string;
      readonly clientKeyFile: string;
      /** The server's own certificate (in a cluster: cluster.crt, which every member presents). */
      readonly serverCertFile: string;
      /** When given, the server's certificate must also chain to this CA. */
      readonly caFile?: string;
    };

export type Dialed = (error: Error | null, socket?: Socket) => void;

export interface Dialer {
  /** Scheme, host and port for HTTP's own use; the connection itself is made by {@link dial}. */
  readonly origin: string;
  /** Opens one connection; calls back only once it may be written to (for HTTPS: after the pin was compared). */
  dial(done: Dialed): void;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Reads the certificate files at once: a missing one is an INVALID_INPUT at start, not at the first request. */
export function createDialer(address: LxdAddress): Dialer {
  return 'socket' in address ? unixDialer(address.socket) : tlsDialer(address);
}

function unixDialer(path: string): Dialer {
  return { origin: 'http://lxd', dial: (done) => settle(connectPlain({ path }), 'connect', done) };
}

function tlsDialer(address: Extract<LxdAddress, { url: string }>): Dialer {
  const url = new URL(address.url);
  const pin = fingerprintOf(new X509Certificate(read(address.serverCertFile, 'server certificate')).raw);
  const options = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 443),
    cert: read(address.clientCertFile, 'client certificate'),
    key: read(address.clientKeyFile, 'client key'),
    // WebSockets need HTTP/1.1: over HTTP/2 LXD answers 400 (LXD 5.0.2, tried).
    ALPNProtocols: ['http/1.1'],
    // Every cluster member presents the first member's certificate, so its name says nothing; the pin decides.
    checkServerIdentity: () => undefined,
    rejectUnauthorized: address.caFile !== undefined,
    ...(address.caFile === undefined ? {} : { ca: read(address.caFile, 'CA certificate') }),
  };
  return {
    origin: url.origin,
    dial: (done) => {
      const socket = connectTls(options);
      settle(socket, 'secureConnect', (error) => {
        const refusal = error ?? refusePin(socket, pin, url.origin);
        if (!refusal) return done(null, socket);
        socket.destroy();
        done(refusal);
      });
    },
  };
}

function refusePin(socket: TLSSocket, pin: string, origin: string): Error | null {
  const certificate = socket.getPeerX509Certificate();
  const seen = certificate ? fingerprintOf(certificate.raw) : 'none';
  if (seen === pin) return null;
  return new PlatformError(
    'DENIED_UPSTREAM',
    `The server at ${origin} presents another certificate (${seen.slice(0, 12)}) than the pinned one (${pin.slice(0, 12)}): check the address, or pin the new certificate if it was replaced on purpose.`,
    { details: { reason: 'wrong-pin' } },
  );
}

function settle(socket: Socket, ready: 'connect' | 'secureConnect', done: Dialed): void {
  const timer = setTimeout(
    () => socket.destroy(Object.assign(new Error('connecting timed out'), { code: 'ETIMEDOUT' })),
    CONNECT_TIMEOUT_MS,
  );
  const onError = (error: Error): void => {
    clearTimeout(timer);
    done(error);
  };
  socket.once('error', onError);
  socket.once(ready, () => {
    clearTimeout(timer);
    socket.off('error', onError);
    socket.setNoDelay(true);
    done(null, socket);
  });
}

function fingerprintOf(der: Buffer): string {
  return createHash('sha256').update(der).digest('hex');
}

function read(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new PlatformError('INVALID_INPUT', `The LXD ${what} ${file} cannot be read.`, { cause });
  }
}
