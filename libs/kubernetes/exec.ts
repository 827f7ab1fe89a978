import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import { PlatformError } from '#libs/errors/platform-error.js';
import { timeLimit } from '../net/time-limit.js';
import type { Credentials } from './credentials.js';
import { errorOfAnswer, errorOfTransport } from './errors.js';

export interface ExecInPod {
  readonly container: string;
  readonly command: readonly string[];
  /** Deadline of all of it. The process in the container is not ended by it: give the command a limit of its own. */
  readonly timeoutMs: number;
  /** Where standard output goes; the caller ends it. Into the result when absent. */
  readonly output?: Writable;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface ExecTarget {
  readonly credentials: Credentials;
  /** Of the subresource. */
  readonly path: string;
  readonly pod: string;
}

/** Bytes that a message begins with (k8s.io/apimachinery, util/remotecommand). */
export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, status: 3 } as const;
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
export const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const HANDSHAKE_MS = 10_000;

/**
 * Runs a command in a container by websocket. @throws PlatformError: NOT_FOUND for a pod that is not there; UNAVAILABLE when the container does
 * not run, its node does not answer, or the time is over.
 */
export async function execInPod(
  target: ExecTarget,
  command: ExecInPod,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<ExecResult> {
  signal?.throwIfAborted();
  const timeout = timeLimit(command.timeoutMs);
  const ends = signal ? AbortSignal.any([signal, timeout]) : timeout;
  const about = `${command.command[0]} in pod ${target.pod}`;
  const socket = await openExec(target, command);
  const end = () => socket.terminate();
  ends.addEventListener('abort', end, { once: true });
  if (ends.aborted) end();
  try {
    return await resultOf(socket, command.output, about);
  } catch (cause) {
    if (cause instanceof PlatformError && !ends.aborted) throw cause;
    throw errorOfTransport(cause, { about, caller: signal, timeout });
  } finally {
    ends.removeEventListener('abort', end);
    socket.terminate();
  }
}

/** The connection to a command that begins in a container. */
export async function openExec(
  { credentials, path }: ExecTarget,
  { container, command, timeoutMs, input }: Omit<ExecInPod, 'output'> & { readonly input?: 'taken' },
): Promise<WebSocket> {
  const query = new URLSearchParams({ container, stdout: 'true', stderr: 'true', ...(input ? { stdin: 'true' } : {}) });
  for (const word of command) query.append('command', word);
  return new WebSocket(`${credentials.server.replace(/^http/, 'ws')}${path}?${query}`, PROTOCOLS, {
    ...credentials.tls,
    headers: await credentials.headers(),
    perMessageDeflate: false,
    handshakeTimeout: Math.min(HANDSHAKE_MS, timeoutMs),
  });
}

function resultOf(socket: WebSocket, output: Writable | undefined, about: string): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let bytes = 0;
    let exitCode: number | undefined;
    socket.on('message', (data: Buffer) => {
      const content = data.subarray(1);
      if (data[0] === CHANNEL.stderr) stderr.push(content);
      if (data[0] === CHANNEL.status) exitCode = exitCodeOf(content, about, reject);
      if (data[0] !== CHANNEL.stdout) return;
      if (output) {
        if (output.write(content)) return;
        socket.pause();
        output.once('drain', () => socket.resume());
        return;
      }
      bytes += content.length;
      if (bytes > MAX_OUTPUT_BYTES) reject(new PlatformError('PROTOCOL', `${about} says more than ${MAX_OUTPUT_BYTES} bytes.`));
      else stdout.push(content);
    });
    output?.once('error', reject);
    socket.once('unexpected-response', (_request, answer: IncomingMessage) => {
      text(answer).then((said) => reject(errorOfAnswer(answer.statusCode ?? 500, said, { about, retryAfter: undefined })), reject);
    });
    socket.once('error', reject);
    socket.once('close', () => {
      if (exitCode === undefined) return reject(new Error('the connection was closed before the command had ended'));
      resolve({ exitCode, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') });
    });
  });
}

/** The Status that ends a command; that of one which could not be run is an error. */
function exitCodeOf(content: Buffer, about: string, reject: (error: Error) => void): number | undefined {
  const status = JSON.parse(content.toString('utf8')) as {
    readonly status?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly code?: number;
    readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
  };
  if (status.status === 'Success') return 0;
  const code = status.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  if (status.reason === 'NonZeroExitCode' && code !== undefined) return Number(code);
  reject(errorOfAnswer(status.code ?? 500, content.toString('utf8'), { about, retryAfter: undefined }));
  return undefined;
}
