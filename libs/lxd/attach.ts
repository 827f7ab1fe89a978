import type { WebSocket } from 'ws';
import { z } from 'zod';
import { parseMetadata } from './answer.js';
import type { CallOptions, LxdOperation } from './client.js';
import type { TerminalSize } from './client-parts.js';
import type { Change, Connection } from './connection.js';
import type { Dialer } from './dial.js';
import { transportError } from './error-reasons.js';
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
}

const websocketOperation = z.looseObject({ fds: z.record(z.string(), z.string()) });

/**
 * Starts an operation of class websocket and opens all its sockets, each by its own secret, within the 5 s that LXD gives (LXD 5.0.2,
 * tried). The URLs hold the secrets: they appear in no message.
 */
export async function attach({ connection, operations, dialer }: AttachParts, change: Change, options: CallOptions): Promise<Attached> {
  const started = await connection.start(change, options);
  const { fds } = parseMetadata(started.metadata, websocketOperation, change.what);
  const sockets = new Map<string, WebSocket>();
  const open = ([name, secret]: [string, string]): Promise<void> => {
    const socket = openWebSocket(dialer, apiPath(['operations', started.id, 'websocket'], { secret }));
    sockets.set(name, socket);
    // The command starts once LXD has seen the data sockets, perhaps before we have: nothing may be read before somebody listens.
    if (name !== 'control') socket.once('open', () => socket.pause());
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
  return { operation: operations.adopt(started.id, change.what), sockets };
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
