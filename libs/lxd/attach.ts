import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import { parseMetadata } from './answer.js';
import type { CallOptions, LxdOperation } from './client.js';
import type { TerminalSize } from './client-parts.js';
import type { Change, Connection } from './connection.js';
import type { Dialer } from './dial.js';
import { protocolError, transportError } from './error-reasons.js';
import { frameStream } from './frame-streams.js';
import type { Operations } from './operations.js';
import { apiPath } from './paths.js';
import { openWebSocket } from './websocket.js';

/** What exec and console share. */
export interface AttachParts {
  readonly connection: Connection;
  readonly operations: Operations;
  readonly dialer: Dialer;
}

export interface Attached {
  readonly operation: LxdOperation;
  /** By the name LXD gives them: `0`, `1`, `2`, `control`. All are open. */
  readonly sockets: ReadonlyMap<string, WebSocket>;
  /** The data of `0`, `1` and `2`. @throws PlatformError PROTOCOL when LXD gave no such socket. */
  stream(name: string): Duplex;
}

/** `terminal` and `console`: one socket both ways, which its reader has to close. `pipes`: stdin, stdout and stderr. */
export type AttachKind = 'terminal' | 'console' | 'pipes';

const HANG_UP_MS = 1_000;

const websocketOperation = z.looseObject({ fds: z.record(z.string(), z.string()) });

/**
 * Starts an operation of class websocket and opens all its sockets, each by its own secret, within the 5 s that LXD gives (LXD 5.0.2,
 * tried). The URLs hold the secrets: they appear in no message.
 */
export async function attach(
  { connection, operations, dialer }: AttachParts,
  change: Change & { readonly kind: AttachKind },
  options: CallOptions,
): Promise<Attached> {
  const started = await connection.start(change, options);
  const { fds } = parseMetadata(started.metadata, websocketOperation, change.what);
  const sockets = new Map<string, WebSocket>();
  const streams = new Map<string, Duplex>();
  const open = ([name, secret]: [string, string]): Promise<void> => {
    const path = apiPath(['operations', started.id, 'websocket'], { secret });
    // A pong to a socket that LXD has closed already fails, and loses what is still to be read; LXD expects none (LXD 5.0.2, source, tried).
    const socket = openWebSocket(dialer, path, { autoPong: name === 'control' });
    sockets.set(name, socket);
    // A short command may be over before all are known to be open here: its data must find a listener.
    if (name !== 'control') streams.set(name, streamOf(name, socket, change.kind));
    return isOpen(socket);
  };
  const isControl = ([name]: [string, string]): boolean => name === 'control';
  try {
    // LXD does not wait for control: a short command would be over before it has come.
    await Promise.all(Object.entries(fds).filter(isControl).map(open));
    await Promise.all(
      Object.entries(fds)
        .filter((fd) => !isControl(fd))
        .map(open),
    );
  } catch (error) {
    for (const socket of sockets.values()) socket.terminate();
    throw transportError(change.what, error);
  }
  const stream = (name: string): Duplex => {
    const found = streams.get(name);
    if (!found) throw protocolError(change.what, `field "fds.${name}" is missing`);
    return found;
  };
  return { operation: operations.adopt(started.id, change.what), sockets, stream };
}

/**
 * Closes the socket with its handshake, after which LXD's writes to it fail instead of meeting each other: two at once end LXD itself
 * ("concurrent write to websocket connection"; LXD 5.0.2, source, tried).
 */
export function hangUp(socket: WebSocket): void {
  if (socket.readyState !== socket.OPEN) return;
  socket.close(1000);
  // The answer comes behind all that LXD had still to say.
  socket.resume();
  const timer = setTimeout(() => socket.terminate(), HANG_UP_MS);
  socket.once('close', () => clearTimeout(timer));
}

/** A terminal's operation ends only when the client has closed its socket after the EOF (LXD 5.0.2, tried). */
function streamOf(name: string, socket: WebSocket, kind: AttachKind): Duplex {
  if (kind === 'console') {
    const leave = (): void => hangUp(socket);
    return frameStream(socket, { sendEof: false, onEof: leave, leave });
  }
  if (kind === 'terminal') return frameStream(socket, { sendEof: false, onEof: () => socket.terminate() });
  return frameStream(socket, { sendEof: name === '0' });
}

function isOpen(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays on: after the opening an error is always followed by the close, which is what counts.
    socket.on('error', reject);
    socket.once('open', resolve);
    socket.once('close', () => reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' })));
  });
}

/** A command on a control socket; too late is no error. */
export function control(sockets: Attached['sockets'], command: Readonly<Record<string, unknown>>): void {
  const socket = sockets.get('control');
  if (socket?.readyState === socket?.OPEN) socket?.send(JSON.stringify(command), { binary: false });
}

/** LXD wants the numbers of a resize as strings and those of a signal as numbers (LXD 5.0.2, tried). */
export function resizeCommand({ width, height }: TerminalSize): Readonly<Record<string, unknown>> {
  return { command: 'window-resize', args: { width: String(width), height: String(height) } };
}
