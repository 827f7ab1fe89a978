import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export interface LeaseLoad {
  /** Clients, each with a MAC of its own. */
  readonly clients: number;
  /** Those that wait for an answer at once. */
  readonly atOnce: number;
  /** First number that is part of MACs. */
  readonly from: number;
  readonly timeoutMs: number;
}

export interface LeaseResult {
  readonly leases: readonly (readonly [mac: string, address: string])[];
  readonly unanswered: number;
  readonly ms: number;
  /** Median and 99th percentile of the time from the first message to the lease. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const COOKIE = 0x63825363;
const AGAIN_MS = 1_000;

/** Asks for a lease for many clients from one socket, with rapid commit (RFC 4039): DISCOVER, ACK. Messages that are lost are sent again. */
export async function leaseMany({ clients, atOnce, from, timeoutMs }: LeaseLoad): Promise<LeaseResult> {
  const socket = createSocket('udp4');
  socket.bind(68, '0.0.0.0');
  await once(socket, 'listening');
  socket.setBroadcast(true);
  socket.setRecvBufferSize(4_000_000);
  const begun = performance.now();
  const waiting = new Map<number, { begun: number; timer: NodeJS.Timeout }>();
  const leases = new Map<number, string>();
  const times: number[] = [];
  let next = 0;
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(late);
      for (const { timer } of waiting.values()) clearInterval(timer);
      resolve();
    };
    const late = setTimeout(end, timeoutMs);
    const more = () => {
      while (waiting.size < atOnce && next < clients) {
        const client = from + next++;
        const send = () => socket.send(discover(client), 67, '255.255.255.255');
        waiting.set(client, { begun: performance.now(), timer: setInterval(send, AGAIN_MS) });
        send();
      }
      if (waiting.size === 0) end();
    };
    socket.on('message', (message) => {
      const client = message.readUInt32BE(4);
      const asked = waiting.get(client);
      if (!asked || message.readUInt32BE(236) !== COOKIE || message[242] !== 5) return;
      clearInterval(asked.timer);
      waiting.delete(client);
      times.push(performance.now() - asked.begun);
      leases.set(client, [...message.subarray(16, 20)].join('.'));
      more();
    });
    more();
  });
  socket.close();
  times.sort((a, b) => a - b);
  const at = (share: number) => Math.round((times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0) * 10) / 10;
  return {
    leases: [...leases].map(([client, address]) => [macOfClient(client), address]),
    unanswered: clients - leases.size,
    ms: Math.round(performance.now() - begun),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

function macOfClient(client: number): string {
  return ['02', '99', ...[24, 16, 8, 0].map((shift) => ((client >>> shift) & 255).toString(16).padStart(2, '0'))].join(':');
}

function discover(client: number): Buffer {
  const message = Buffer.alloc(300);
  Buffer.from([1, 1, 6, 0]).copy(message, 0);
  message.writeUInt32BE(client, 4);
  // Answers by broadcast: the client has no address yet.
  message.writeUInt16BE(0x8000, 10);
  Buffer.from(macOfClient(client).replaceAll(':', ''), 'hex').copy(message, 28);
  message.writeUInt32BE(COOKIE, 236);
  // DISCOVER, rapid commit.
  Buffer.from([53, 1, 1, 80, 0, 255]).copy(message, 240);
  return message;
}
