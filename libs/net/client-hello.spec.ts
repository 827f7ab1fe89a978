import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { LONGEST_HELLO, readClientHello } from './client-hello.js';

/** What Node's TLS client sends first. */
function helloOf(options: {
  readonly servername?: string;
  readonly ALPNProtocols?: string[];
  readonly maxVersion?: 'TLSv1.2';
}): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        done();
        resolve(chunk);
      },
    });
    connect({ socket, ...options }).on('error', () => undefined);
  });
}

/** The same handshake message in records of so many bytes. */
function inRecordsOf(size: number, hello: Buffer): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    const head = Buffer.from([22, 3, 1, 0, 0]);
    head.writeUInt16BE(part.length, 3);
    records.push(head, part);
  }
  return Buffer.concat(records);
}

let hello: Buffer;
beforeAll(async () => {
  hello = await helloOf({ servername: 'alice.ws.example', ALPNProtocols: ['h2', 'http/1.1'] });
});

const WANTED = { is: 'hello', serverName: 'alice.ws.example', protocols: ['h2', 'http/1.1'] };

describe('a ClientHello', () => {
  test('tells server name and protocols', () => {
    expect(readClientHello(hello)).toEqual(WANTED);
  });

  test('of an older client, and one without a name', async () => {
    expect(readClientHello(await helloOf({ servername: 'Bob.Example', maxVersion: 'TLSv1.2' }))).toEqual({
      is: 'hello',
      serverName: 'Bob.Example',
      protocols: [],
    });
    expect(readClientHello(await helloOf({}))).toEqual({ is: 'hello', serverName: undefined, protocols: [] });
  });

  test.each([1, 2, 3, 7, 100])('may be cut into records of %d bytes, and what follows it does not matter', (size) => {
    const cut = inRecordsOf(size, hello);
    expect(readClientHello(cut)).toEqual(WANTED);
    expect(readClientHello(Buffer.concat([cut, Buffer.from([20, 3, 3, 0, 1, 1])]))).toEqual(WANTED);
  });

  test('is incomplete until its last byte', () => {
    for (let length = 0; length < hello.length; length++) {
      expect(readClientHello(hello.subarray(0, length))).toEqual({ is: 'incomplete' });
    }
  });
});

describe('no ClientHello', () => {
  test.each([
    ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 'not a TLS handshake'],
    ['SSL 2', Buffer.from([0x80, 0x2e, 1, 3, 1]), 'not a TLS handshake'],
    ['a handshake of another kind', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), 'something else'],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0]), 'forbidden length'],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1]), 'forbidden length'],
    ['one longer than is read', Buffer.from([22, 3, 1, 0, 4, 1, 0, 0x40, 1]), 'too long'],
  ])('%s', (_what, bytes, reason) => {
    expect(readClientHello(bytes)).toEqual({ is: 'no-hello', reason: expect.stringContaining(reason) });
  });

  test('a name that holds what no name holds', () => {
    const at = hello.indexOf('alice.ws.example');
    for (const byte of [0, 0x20, 0x2f, 0x60, 0xe4]) {
      const changed = Buffer.from(hello);
      changed[at] = byte;
      expect(readClientHello(changed)).toEqual({ is: 'no-hello', reason: 'a server name that is none' });
    }
  });

  test('never throws and never asks for more than the longest, whatever it is given', () => {
    let seed = 12_345;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    const seen = new Set<string>();
    for (let round = 0; round < 20_000; round++) {
      const changed = Buffer.from(round % 2 === 0 ? hello : inRecordsOf(1 + random(300), hello));
      for (let i = 0; i <= random(4); i++) changed[random(changed.length)] = random(256);
      seen.add(readClientHello(changed.subarray(0, 1 + random(changed.length))).is);
      seen.add(readClientHello(changed).is);
    }
    expect([...seen].sort()).toEqual(['hello', 'incomplete', 'no-hello']);
    const endless = Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0x40, 0]), Buffer.alloc(LONGEST_HELLO + 100, 1)]);
    expect(readClientHello(endless).is).toBe('no-hello');
  });
});
