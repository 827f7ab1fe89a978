import { readFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { PlatformError } from '#libs/errors/platform-error.js';
import { fingerprintsOf } from './pins.js';

/** Where an LXD is: its unix socket, or its HTTPS address with our client certificate and the server certificate that we pin. */
export type LxdAddress =
  | { readonly socket: string }
  | {
      readonly url: string;
      readonly clientCertFile: string;
      readonly clientKeyFile: string;
      /** The server's own certificate (in a cluster: cluster.crt, which every member presents), or several of which it may present any. */
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
  let pins = pinsOf(address.serverCertFile);
  const refusal = (socket: TLSSocket) => {
    // Once: asked again, Node 20 has none (tried).
    const seen = socket.getPeerX509Certificate()?.fingerprint256 ?? 'none';
    // The file may have got the next certificate since.
    if (!pins.includes(seen)) pins = pinsOf(address.serverCertFile);
    return pins.includes(seen) ? null : wrongPin(seen, pins, url.origin);
  };
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
        const refused = error ?? refusal(socket);
        if (!refused) return done(null, socket);
        socket.destroy();
        done(refused);
      });
    },
  };
}

function pinsOf(file: string): string[] {
  const pem = read(file, 'server certificate').toString();
  try {
    const pins = fingerprintsOf(pem);
    if (pins.length > 0) return pins;
  } catch (cause) {
    throw new PlatformError('INVALID_INPUT', `The LXD server certificate ${file} cannot be read.`, { cause });
  }
  throw new PlatformError('INVALID_INPUT', `The LXD server certificate ${file} holds none.`);
}

function wrongPin(seen: string, pins: readonly string[], origin: string): PlatformError {
  const short = (fingerprint = '') => fingerprint.replaceAll(':', '').toLowerCase().slice(0, 12);
  return new PlatformError(
    'DENIED_UPSTREAM',
    `The server at ${origin} presents another certificate (${short(seen)}) than the pinned one (${pins.map(short).join(', ')}): check the address, or pin the new certificate if it was replaced on purpose.`,
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

function read(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new PlatformError('INVALID_INPUT', `The LXD ${what} ${file} cannot be read.`, { cause });
  }
}
