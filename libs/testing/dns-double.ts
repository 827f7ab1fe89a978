import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';

/** What the double says of a name; `silent` says nothing. */
export type DnsReply =
  | { readonly txt: readonly (string | readonly string[])[] }
  | 'nxdomain'
  | 'empty'
  | 'servfail'
  | 'refused'
  | 'silent'
  | 'garbage';

const RCODES = { empty: 0, servfail: 2, nxdomain: 3, refused: 5 } as const;
const TYPE_TXT = 16;
const HEADER_BYTES = 12;

/** A DNS server (RFC 1035, UDP) inside the test's process that answers for the names it was told, and NXDOMAIN for others. */
export class DnsDouble {
  readonly replies = new Map<string, DnsReply>();
  /** Names asked for, in order. */
  readonly questions: string[] = [];
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (query, { address, port }) => {
      const { name, end } = questionOf(query);
      this.questions.push(name);
      const reply = this.replies.get(name) ?? 'nxdomain';
      if (reply !== 'silent') socket.send(answerTo(query.subarray(0, end), reply), port, address);
    });
  }

  static async start(): Promise<DnsDouble> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new DnsDouble(socket);
  }

  /** For the setting `dns.resolvers`. */
  get address(): string {
    return `127.0.0.1:${(this.#socket.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(resolve));
  }
}

function questionOf(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 5 };
}

/** `question` is the query up to the end of its one question. */
function answerTo(question: Buffer, reply: Exclude<DnsReply, 'silent'>): Buffer {
  if (reply === 'garbage') return Buffer.concat([question.subarray(0, 2), Buffer.from('84000001ffff00000000', 'hex')]);
  const records = typeof reply === 'object' ? reply.txt.map((strings) => recordOf([strings].flat())) : [];
  const header = Buffer.from(question.subarray(0, HEADER_BYTES));
  header.writeUInt16BE(0x8580 | (typeof reply === 'object' ? 0 : RCODES[reply]), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt32BE(0, 8);
  return Buffer.concat([header, question.subarray(HEADER_BYTES), ...records]);
}

function recordOf(strings: readonly string[]): Buffer {
  const data = Buffer.concat(strings.flatMap((text) => [Buffer.from([text.length]), Buffer.from(text, 'latin1')]));
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt16BE(0xc00c, 0); // the name of the question
  head.writeUInt16BE(TYPE_TXT, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(1, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
