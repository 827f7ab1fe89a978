import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import { isPlatformError } from '#libs/errors/platform-error.js';
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
/** Starts of one command, of which at most the last begins it. */
const ATTEMPTS = 2;
const LOOK_MS = 1_000;
/** What a socket is told that comes when its operation has given up waiting for it (LXD 5.0.2, seen). */
const GIVEN_UP = /Only running operations can be connected/;

const websocketOperation = z.looseObject({ fds: z.record(z.string(), z.string()) });

/**
 * Starts an operation of class websocket and opens all its sockets, each by its own secret, within the 5 s that LXD gives (LXD 5.0.2,
 * tried). One that LXD has given up by then has begun nothing, and is started once more. The URLs hold the secrets: they appear in no message.
 */
export async function attach(parts: AttachParts, change: Change & { readonly kind: AttachKind }, options: CallOptions): Promise<Attached> {
  for (let attempt = 1; ; attempt++) {
    const started = await parts.connection.start(change, options);
    const { fds } = parseMetadata(started.metadata, websocketOperation, change.what);
    const operation = parts.operations.adopt(started.id, change.what);
    const opening = new Opening(parts.dialer, change.kind, started.id);
    try {
      await opening.all(fds);
    } catch (error) {
      opening.abandon();
      if (attempt < ATTEMPTS && (await neverBegan(error, operation, options))) continue;
      throw transportError(change.what, error);
    }
    const stream = (name: string): Duplex => {
      const found = opening.streams.get(name);
      if (!found) throw protocolError(change.what, `field "fds.${name}" is missing`);
      return found;
    };
    return { operation, sockets: opening.sockets, stream };
  }
}

/** Sockets of one operation, on their way. */
class Opening {
  readonly sockets = new Map<string, WebSocket>();
  readonly streams = new Map<string, Duplex>();

  constructor(
    private readonly dialer: Dialer,
    private readonly kind: AttachKind,
    private readonly operation: string,
  ) {}

  /** @throws when one of them does not open. */
  async all(fds: Readonly<Record<string, string>>): Promise<void> {
    const isControl = ([name]: [string, string]): boolean => name === 'control';
    // LXD does not wait for control: a short command would be over before it has come.
    await Promise.all(Object.entries(fds).filter(isControl).map(this.#open));
    await Promise.all(
      Object.entries(fds)
        .filter((fd) => !isControl(fd))
        .map(this.#open),
    );
  }

  abandon(): void {
    for (const socket of this.sockets.values()) socket.terminate();
  }

  readonly #open = ([name, secret]: [string, string]): Promise<void> => {
    const path = apiPath(['operations', this.operation, 'websocket'], { secret });
    // A pong to a socket that LXD has closed already fails, and loses what is still to be read; LXD expects none (LXD 5.0.2, source, tried).
    const socket = openWebSocket(this.dialer, path, { autoPong: name === 'control' });
    this.sockets.set(name, socket);
    // A short command may be over before all are known to be open here: its data must find a listener.
    if (name !== 'control') this.streams.set(name, streamOf(name, socket, this.kind));
    return isOpen(socket);
  };
}

/** Whether LXD gave the operation up before all its sockets had come: the command has not been run then. */
async function neverBegan(error: unknown, operation: LxdOperation, { signal }: CallOptions): Promise<boolean> {
  if (error instanceof Refused && GIVEN_UP.test(error.text)) return true;
  try {
    await operation.wait({ timeoutMs: LOOK_MS, ...(signal ? { signal } : {}) });
    return false;
  } catch (end) {
    return isPlatformError(end) && end.details['reason'] === 'not-attached';
  }
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

/** LXD answered, but not by opening the socket. */
class Refused extends Error {
  constructor(
    status: number | undefined,
    /** LXD's own words, which are in no message. */
    readonly text: string,
  ) {
    super(`Unexpected server response: ${status}`);
  }
}

function isOpen(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('unexpected-response', (_request, response) => {
      buffer(response)
        .then((body) => reject(new Refused(response.statusCode, body.toString('utf8'))), reject)
        .finally(() => socket.terminate());
    });
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
