import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Fault, GithubFaults } from './faults.js';
import type { Question, Reply } from './reply.js';

/** A slow body is sent in pieces, one each time. */
const SLOW_STEP_MS = 50;

export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly faults: GithubFaults;
  /** What a question is for: `api`, `web` or `storage`. */
  readonly placeOf: (question: Question) => string;
  readonly answer: (question: Question) => Promise<Reply>;
  /** Called with `METHOD place /path?query`, and with what was answered. */
  readonly onAnswer: (line: string, question: Question, reply: Reply | undefined) => void;
  readonly onBytes: (count: number) => void;
}

export async function listen(options: ServerOptions): Promise<Listening> {
  const listener: RequestListener = (incoming, outgoing) => {
    handle(options, incoming, outgoing).catch((error) => outgoing.destroy(error as Error));
  };
  const server: Server = options.tls ? createTlsServer({ ...options.tls }, listener) : createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `${options.tls ? 'https' : 'http'}://${options.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function handle(options: ServerOptions, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  // A client that goes away ends its answer; nobody is left to be told.
  outgoing.on('error', () => undefined);
  const question = questionOf(incoming);
  const line = `${question.method} ${options.placeOf(question)} ${incoming.url}`;
  const fault = options.faults.take(line);
  // Nobody else reads the body of a question that gets such an answer.
  if ((fault && fault.kind !== 'lose') || question.method === 'GET' || question.method === 'HEAD') incoming.resume();
  if (fault?.kind === 'drop' || fault?.kind === 'hang') {
    options.onAnswer(line, question, undefined);
    if (fault.kind === 'drop') incoming.socket.destroy();
    return;
  }
  if (fault?.kind === 'delay') await pause(fault.ms);
  const asked = fault?.kind === 'ignore-range' ? { ...question, headers: { ...question.headers, range: undefined } } : question;
  const reply: Reply = fault?.kind === 'answer' ? fault : await options.answer(asked as Question);
  incoming.resume();
  options.onAnswer(line, question, reply);
  if (fault?.kind === 'lose') return void incoming.socket.destroy();
  const length = reply.bytes ? {} : { 'content-length': String(Buffer.byteLength(reply.body ?? '')) };
  outgoing.writeHead(reply.status, { ...(reply.status === 304 ? {} : length), server: 'github.com', ...reply.headers });
  if (question.method === 'HEAD' || reply.status === 304) return void outgoing.end();
  if (reply.bytes) await sendBytes(reply.bytes, outgoing, { fault, onBytes: options.onBytes });
  else outgoing.end(reply.body ?? '');
}

async function sendBytes(
  { of, from, to }: NonNullable<Reply['bytes']>,
  outgoing: ServerResponse,
  { fault, onBytes }: { readonly fault: Fault | undefined; readonly onBytes: (count: number) => void },
): Promise<void> {
  const limit = fault?.kind === 'cut' || fault?.kind === 'stall' ? fault.afterBytes : Number.POSITIVE_INFINITY;
  const size = fault?.kind === 'slow' ? Math.ceil((fault.bytesPerSecond * SLOW_STEP_MS) / 1000) : Number.POSITIVE_INFINITY;
  async function* shown(): AsyncGenerator<Buffer> {
    let sent = 0;
    for await (const chunk of of.open(from, to) as AsyncIterable<Buffer>) {
      for (const piece of pieces(chunk.subarray(0, limit - sent), size)) {
        if (fault?.kind === 'slow') await pause(SLOW_STEP_MS);
        sent += piece.length;
        onBytes(piece.length);
        yield piece;
      }
      if (sent >= limit) return;
    }
  }
  outgoing.flushHeaders();
  // A client that goes away is no failure of ours.
  await pipeline(Readable.from(shown()), outgoing, { end: limit === Number.POSITIVE_INFINITY }).catch(() => undefined);
  if (fault?.kind === 'cut') outgoing.socket?.end();
}

function* pieces(chunk: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < chunk.length; at += size) yield chunk.subarray(at, at + size);
}

function questionOf(incoming: IncomingMessage): Question {
  const { method = 'GET', url = '/', headers } = incoming;
  const [path = '/', search = ''] = url.split('?');
  return { method, path, parts: path.split('/').slice(1).map(decode), query: new URLSearchParams(search), headers, body: incoming };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray % is part of the name, which then is not found
  }
}
