import { WebSocket } from 'ws';
import type { Dialer } from './dial.js';

const HANDSHAKE_TIMEOUT_MS = 15_000;

/** A websocket to LXD over the same kind of connection as its requests. `path` may hold a secret: it is never part of a message. */
export function openWebSocket(dialer: Dialer, path: string, { autoPong = true }: { readonly autoPong?: boolean } = {}): WebSocket {
  return new WebSocket(`${dialer.origin.replace(/^http/, 'ws')}${path}`, {
    // Typed as if it returned the socket; http also takes it by callback, which a pin that is compared first needs.
    createConnection: ((_options: unknown, done: (error: Error | null, socket?: unknown) => void) => {
      dialer.dial(done);
    }) as never,
    perMessageDeflate: false,
    autoPong,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
}
