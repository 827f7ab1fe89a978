import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import { OperationFailure } from './operations.js';
import { Refusal } from './reply.js';

const ATTACH_MS = 5_000;

/** The sockets of an exec or console: each has a secret of its own, all must come within 5 s (LXD 5.0.2, tried). */
export class Attached {
  readonly secrets: Readonly<Record<string, string>>;
  readonly #sockets = new Map<string, WebSocket>();
  readonly #writes: Promise<void>[] = [];
  readonly #needed: readonly string[];
  #complete: () => void = () => undefined;
  readonly #ready: Promise<void>;

  constructor(fds: readonly string[]) {
    this.secrets = Object.fromEntries(fds.map((fd) => [fd, randomBytes(32).toString('hex')]));
    this.#needed = fds;
    this.#ready = new Promise((resolve) => {
      this.#complete = resolve;
    });
  }

  /** Throws when the secret is of no socket. */
  fdOf(secret: string): string {
    const found = Object.entries(this.secrets).find(([, each]) => each === secret);
    if (!found) throw new Refusal(500, 'permission denied');
    return found[0];
  }

  add(fd: string, socket: WebSocket): void {
    socket.on('error', () => socket.terminate());
    this.#sockets.set(fd, socket);
    if (this.#needed.every((each) => this.#sockets.has(each))) this.#complete();
  }

  async ready(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const text = 'Timed out waiting for websockets to connect';
      timer = setTimeout(() => reject(new OperationFailure(text, {})), ATTACH_MS);
      timer.unref();
    });
    try {
      await Promise.race([this.#ready, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  socket(fd: string): WebSocket | undefined {
    return this.#sockets.get(fd);
  }

  send(fd: string, text: string): void {
    if (text !== '') this.#write(fd, Buffer.from(text));
  }

  eof(fd: string): void {
    this.#write(fd, '');
  }

  /** LXD ends its sockets without a close frame. */
  async end(): Promise<void> {
    await Promise.all(this.#writes);
    for (const socket of this.#sockets.values()) socket.terminate();
  }

  #write(fd: string, data: Buffer | string): void {
    const socket = this.#sockets.get(fd);
    const written = new Promise<void>((resolve) => {
      if (socket) socket.send(data, { binary: typeof data !== 'string' }, () => resolve());
      else resolve();
    });
    this.#writes.push(written);
  }
}
