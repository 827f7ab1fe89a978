import { connect, createServer, type Socket } from 'node:net';

/** `<listen host> <port>=<host>:<port> …`: brings connections at this machine's address on the link to what listens on its loopback. */
const [host = '', ...pairs] = process.argv.slice(2);

for (const pair of pairs) {
  const [, port, targetHost = '', targetPort] = /^(\d+)=([^:]+):(\d+)$/.exec(pair) ?? [];
  if (port === undefined) throw new Error(`"${pair}" is not <port>=<host>:<port>`);
  const server = createServer({ allowHalfOpen: true }, (client) =>
    join(client, connect({ host: targetHost, port: Number(targetPort), allowHalfOpen: true })),
  );
  server.listen(Number(port), host, () => console.log(`${new Date().toISOString()} ${host}:${port} leads to ${targetHost}:${targetPort}`));
}

function join(client: Socket, target: Socket): void {
  for (const [one, other] of [[client, target] as const, [target, client] as const]) {
    one.on('error', () => other.destroy());
    one.pipe(other);
  }
}
