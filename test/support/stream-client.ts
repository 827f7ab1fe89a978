import { WebSocket } from 'ws';
import { waitFor } from '#lab/wait.js';

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

interface ClientOptions {
  /** Of the request. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly autoPong?: boolean;
}

/** A client of consoles and terminals, as the original's CLI is one. */
export class StreamClient {
  readonly socket: WebSocket;
  /** How it ended. */
  readonly closed: Promise<Closed>;
  /** All bytes so far, as text; empty when `onData` takes them. */
  output = '';
  onData: ((data: Buffer) => void) | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', (code, reason) => resolve({ code, reason: reason.toString('utf8') })));
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) throw new Error(`a text message from the server: ${data.toString()}`);
      if (this.onData) this.onData(data);
      else this.output += data.toString('utf8');
    });
  }

  /** Connects; `url` is one of the API (`http://…`). Rejects with the answer when it is not 101. */
  static open(url: string, { headers = {}, autoPong = true }: ClientOptions = {}): Promise<StreamClient> {
    const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers, autoPong, perMessageDeflate: false });
    const client = new StreamClient(socket);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(client));
      socket.once('error', reject);
      socket.once('unexpected-response', (_request, answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () =>
          reject(new Refused(answer.statusCode ?? 0, answer.headers['content-type'] ?? '', Buffer.concat(chunks).toString())),
        );
      });
    });
  }

  /** A text message. */
  say(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Input. */
  type(text: string | Buffer): void {
    this.socket.send(Buffer.from(text as string), { binary: true });
  }

  async shows(pattern: RegExp, timeoutMs = 15_000): Promise<string> {
    const find = () => pattern.exec(this.output)?.[0];
    return waitFor(`${pattern} in ${JSON.stringify(this.output.slice(-200))}`, async () => find(), { timeoutMs, intervalMs: 20 });
  }
}

/** The answer to a request for a WebSocket that did not get one. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly contentType: string,
    readonly body: string,
  ) {
    super(`${status} ${body}`);
  }
}
