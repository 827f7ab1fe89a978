import { rmSync } from 'node:fs';
import { connect, createServer, type ListenOptions, type Server, type Socket } from 'node:net';

/** A way to a port of this machine's loopback that can be taken away: then no new connection gets there, and those that are there end. */
export class Relay {
  readonly #at: ListenOptions;
  readonly #port: number;
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;

  constructor({ at, port }: { readonly at: ListenOptions; readonly port: number }) {
    this.#at = at;
    this.#port = port;
  }

  async open(): Promise<void> {
    if (this.#server) return;
    if (this.#at.path !== undefined) rmSync(this.#at.path, { force: true });
    const server = createServer((client) => this.#join(client, connect(this.#port, '127.0.0.1')));
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(this.#at, resolve));
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#connections) socket.destroy();
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  #join(client: Socket, target: Socket): void {
    for (const [one, other] of [[client, target] as const, [target, client] as const]) {
      this.#connections.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#connections.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
