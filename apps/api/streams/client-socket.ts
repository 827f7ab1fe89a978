import { Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { closeReason } from './close-reason.js';

/** Beyond so much that the client has not taken yet, nothing more is read for it. */
const HIGH_WATER_BYTES = 256 * 1024;
const FIRST_MESSAGE_MS = 10_000;
const CLOSE_WITHIN_MS = 5_000;
/** Signs of life that may be missing. */
const MISSED_PINGS = 3;

/** Why a stream ends before its time. */
export class StreamEnd extends Error {
  constructor(
    /** Of the close frame; undefined when nobody is there to get one. */
    readonly code: number | undefined,
    message: string,
  ) {
    super(message);
  }
}

export interface Liveness {
  readonly pingSeconds: number;
  /** 0 for no limit. */
  readonly idleSeconds: number;
}

interface Receiver {
  readonly data: Writable;
  onText(text: string): void | Promise<void>;
}

/**
 * The client's end of a stream: data are binary messages both ways, with back-pressure both ways, commands are text messages. `signal` aborts when
 * the stream has to end, with a {@link StreamEnd} or the error that ended it.
 */
export class ClientSocket {
  readonly #ws: WebSocket;
  readonly #stop = new AbortController();
  #receiver: Receiver | undefined;
  /** What came in one packet with the first message. */
  readonly #early: [RawData, boolean][] = [];
  #heldBack = false;
  /** Set while a send waits for the client to take what it got. */
  #release: (() => void) | undefined;
  #heardAt = Date.now();
  #pingedAt = Date.now();
  #movedAt = Date.now();
  /** Bytes so far. */
  readonly moved = { in: 0, out: 0 };

  constructor(ws: WebSocket) {
    this.#ws = ws;
    // The close follows, but may take its time.
    ws.on('error', () => this.end(new StreamEnd(undefined, 'the connection failed')));
    ws.on('pong', () => this.#heard());
    ws.on('ping', () => this.#heard());
    ws.on('close', () => this.end(new StreamEnd(undefined, 'the client is gone')));
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Ends the stream; the first reason counts. */
  end(reason: Error): void {
    if (!this.#stop.signal.aborted) this.#stop.abort(reason);
    this.#release?.();
  }

  /** The first message, which has to be a text. Nothing more is taken from the client until {@link receive}. */
  first(): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.end(new StreamEnd(1011, 'no first message within 10 s')), FIRST_MESSAGE_MS);
      this.signal.addEventListener('abort', () => reject(this.signal.reason), { once: true });
      this.#ws.once('message', (data, isBinary) => {
        clearTimeout(timer);
        this.#hold(true);
        if (isBinary) this.end(new StreamEnd(1011, 'the first message must be a text message with a JSON object'));
        else resolve(textOf(data));
        this.#ws.on('message', (next, binary) => this.#take(next, binary));
      });
      this.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    });
  }

  /** Hands over what the client sends from now on; again for another receiver. */
  receive(receiver: Receiver): void {
    this.#receiver = receiver;
    const release = (): void => {
      if (this.#receiver === receiver) this.#hold(false);
    };
    receiver.data.on('drain', release);
    receiver.data.on('close', release);
    // What a command does not read any more is not the client's concern.
    receiver.data.on('error', () => undefined);
    this.#hold(false);
    for (const [data, isBinary] of this.#early.splice(0)) this.#take(data, isBinary);
  }

  /** Resolves when more may be sent. @throws the reason of `signal` when the stream ends. */
  async send(data: Buffer): Promise<void> {
    this.signal.throwIfAborted();
    this.moved.out += data.length;
    this.#movedAt = Date.now();
    let flushed = (): void => undefined;
    this.#ws.send(data, { binary: true }, () => flushed());
    if (this.#ws.bufferedAmount <= HIGH_WATER_BYTES) return;
    await new Promise<void>((resolve) => {
      flushed = resolve;
      this.#release = resolve;
    });
    this.#release = undefined;
    this.#movedAt = Date.now();
    this.signal.throwIfAborted();
  }

  /** Closes once all has been sent, by force when the client does not answer. */
  async close(code: number, text: string): Promise<void> {
    const ws = this.#ws;
    if (ws.readyState === ws.CLOSED) return;
    const closed = new Promise<void>((resolve) => ws.once('close', () => resolve()));
    this.#receiver = { data: nowhere(), onText: () => undefined };
    this.#hold(false);
    await new Promise<void>((resolve) => {
      ws.ping(undefined, false, () => resolve());
      this.signal.addEventListener('abort', () => resolve(), { once: true });
      if (this.signal.aborted) resolve();
    });
    ws.close(code, closeReason(text));
    const timer = setTimeout(() => ws.terminate(), CLOSE_WITHIN_MS);
    await closed;
    clearTimeout(timer);
  }

  /** Looks whether the client is there and something moves; to be called about twice a second. */
  check({ pingSeconds, idleSeconds }: Liveness, now = Date.now()): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (idleSeconds > 0 && now - this.#movedAt > idleSeconds * 1000)
      this.end(new StreamEnd(1011, `nothing was sent or received for ${idleSeconds} s`));
    // One that is held back, or has much to read, cannot answer: the failing ping itself tells that it is gone.
    const mayBeSilent = this.#heldBack || this.#release !== undefined;
    if (mayBeSilent) this.#heardAt = now;
    if (now - this.#heardAt > pingSeconds * 1000 * MISSED_PINGS) this.#ws.terminate();
    else if (mayBeSilent || now - this.#pingedAt >= pingSeconds * 1000) this.#ping(now);
  }

  #ping(now: number): void {
    this.#pingedAt = now;
    if (this.#ws.bufferedAmount <= HIGH_WATER_BYTES * 2) this.#ws.ping();
  }

  #take(data: RawData, isBinary: boolean): void {
    const receiver = this.#receiver;
    this.#heard();
    if (this.signal.aborted) return;
    if (!receiver) return void this.#early.push([data, isBinary]);
    this.#movedAt = Date.now();
    if (!isBinary) {
      Promise.resolve()
        .then(() => receiver.onText(textOf(data)))
        .catch((error: unknown) => this.end(error as Error));
      return;
    }
    const bytes = data as Buffer;
    this.moved.in += bytes.length;
    if (receiver.data.writable && !receiver.data.write(bytes)) this.#hold(true);
  }

  #hold(held: boolean): void {
    this.#heldBack = held;
    if (held) this.#ws.pause();
    else this.#ws.resume();
  }

  #heard(): void {
    this.#heardAt = Date.now();
  }
}

function nowhere(): Writable {
  return new Writable({ write: (_data, _encoding, done) => done() });
}

function textOf(data: RawData): string {
  return (data as Buffer).toString('utf8');
}
