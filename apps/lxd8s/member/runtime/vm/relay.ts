import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';

export interface RelayOptions {
  /** LXD's socket as others of this pod know it. */
  readonly socket: string;
  /** On this pod's loopback, where QEMU leads to the guest. */
  readonly port: number;
  readonly word: string;
}

/** LXD's socket in the pod: each connection is one to LXD in the machine. While that does not answer, it ends at once, as where nobody listens. */
export function startRelay({ socket, port, word }: RelayOptions): Promise<Server> {
  const server = createServer((inner) => {
    const outer = connect(port, '127.0.0.1');
    outer.write(`${word}\n`);
    inner.pipe(outer).pipe(inner);
    for (const [one, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      // The other side is told by the end of its connection.
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  rmSync(socket, { force: true });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, () => {
      server.off('error', reject);
      chmodSync(socket, 0o660);
      resolve(server);
    });
  });
}
