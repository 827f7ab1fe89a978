import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type DnsNames, exchange } from './answers.js';

/** A question over TCP is over after this long. */
const TCP_IDLE_MS = 5_000;

export interface DnsServer {
  readonly port: number;
  close(): void;
}

/**
 * Starts the lab's DNS server on UDP and TCP. It is authoritative for every name there is and asks nobody; what it knows it reads from the
 * file anew for each question, so a change counts at once. Port 0: any that is free.
 */
export function startDnsServer(
  { host, port, namesFile }: { readonly host: string; readonly port: number; readonly namesFile: string },
  log: (line: string) => void,
): Promise<DnsServer> {
  return serveNames({ host, port, names: () => readNames(namesFile) }, log);
}

/** The same for names from anywhere, asked for anew for each question. */
export async function serveNames(
  { host, port, names }: { readonly host: string; readonly port: number; readonly names: () => DnsNames },
  log: (line: string) => void,
): Promise<DnsServer> {
  const answerTo = (message: Buffer, transport: 'udp' | 'tcp'): Buffer | undefined => {
    const done = exchange(message, names(), transport);
    if (done) log(`${transport} ${done.question}: ${done.outcome}`);
    return done?.answer;
  };
  const tcp = createServer((socket) => serveStream(socket, (message) => answerTo(message, 'tcp'))).listen(port, host);
  await once(tcp, 'listening');
  const { port: bound } = tcp.address() as AddressInfo;
  const udp = createSocket('udp4').bind(bound, host);
  await once(udp, 'listening');
  udp.on('message', (message, from) => {
    const answer = answerTo(message, 'udp');
    if (answer) udp.send(answer, from.port, from.address);
  });
  return {
    port: bound,
    close: () => {
      udp.close();
      tcp.close();
    },
  };
}

/** Messages over TCP have their length in two bytes before them (RFC 1035, 4.2.2). */
function serveStream(socket: Socket, answerTo: (message: Buffer) => Buffer | undefined): void {
  let received: Buffer = Buffer.alloc(0);
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  // A client that goes away has its reasons.
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const answer = answerTo(received.subarray(2, end));
      received = received.subarray(end);
      if (!answer) continue;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.write(Buffer.concat([length, answer]));
    }
  });
}

function readNames(file: string): DnsNames {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as DnsNames) : {};
}
