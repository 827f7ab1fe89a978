/** What the first bytes of a TLS connection say. */
export type ClientHello =
  | { readonly is: 'incomplete' }
  | { readonly is: 'no-hello'; readonly reason: string }
  | {
      readonly is: 'hello';
      /** As the client wrote it; undefined when it names none. */
      readonly serverName: string | undefined;
      /** Application protocols (ALPN), first choice first. */
      readonly protocols: readonly string[];
    };

/** Largest ClientHello that is read, in bytes of its handshake message; browsers' with post-quantum keys have less than 2 000. */
export const LONGEST_HELLO = 16_384;

const HANDSHAKE_RECORD = 22;
const LONGEST_RECORD = 16_384;
const CLIENT_HELLO = 1;
/** Type and length of a handshake message. */
const HEAD = 4;
const SERVER_NAME = 0;
const ALPN = 16;
const HOST_NAME = 0;
const NAME = /^[A-Za-z0-9_.-]{1,254}$/;

class Malformed extends Error {}

/**
 * Reads a ClientHello from the first bytes of a connection (RFC 8446 sections 4.1.2 and 5.1; RFC 6066 section 3; RFC 7301), however it is cut
 * into records. Unknown extensions and values are passed over. Pure, never throws, and never waits for more than {@link LONGEST_HELLO}.
 */
export function readClientHello(bytes: Buffer): ClientHello {
  try {
    const message = handshakeOf(bytes);
    return message ? helloOf(message) : { is: 'incomplete' };
  } catch (error) {
    if (error instanceof Malformed) return { is: 'no-hello', reason: error.message };
    throw error;
  }
}

/** The first handshake message, put together from its records; undefined while it is not there in full. */
function handshakeOf(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  let have = 0;
  let wanted: number | undefined;
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== HANDSHAKE_RECORD) throw new Malformed('not a TLS handshake');
    if (bytes.length > at + 1 && bytes[at + 1] !== 3) throw new Malformed('not a TLS version');
    if (bytes.length < at + 5) return undefined;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > LONGEST_RECORD) throw new Malformed('a record of a forbidden length');
    const part = bytes.subarray(at + 5, at + 5 + length);
    parts.push(part);
    have += part.length;
    at += 5 + length;
    if (have >= HEAD) wanted ??= lengthOf(Buffer.concat(parts));
    if (wanted !== undefined && have >= wanted) return Buffer.concat(parts).subarray(HEAD, wanted);
  }
  return undefined;
}

/** Of the whole message, by its head. */
function lengthOf(message: Buffer): number {
  if (message[0] !== CLIENT_HELLO) throw new Malformed('a handshake that begins with something else');
  const length = message.readUIntBE(1, 3);
  if (length > LONGEST_HELLO) throw new Malformed('a ClientHello that is too long');
  return HEAD + length;
}

function helloOf(message: Buffer): ClientHello {
  const reader = new Reader(message);
  reader.bytes(2 + 32);
  reader.vector(1);
  reader.vector(2);
  reader.vector(1);
  let serverName: string | undefined;
  let protocols: string[] = [];
  // Old clients send no extensions at all.
  const extensions = reader.left === 0 ? new Reader(Buffer.alloc(0)) : reader.vector(2);
  if (reader.left > 0) throw new Malformed('bytes after the extensions');
  const seen = new Set<number>();
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const body = extensions.vector(2);
    if (seen.has(type)) throw new Malformed('an extension twice');
    seen.add(type);
    if (type === SERVER_NAME) serverName = serverNameOf(body);
    if (type === ALPN) protocols = protocolsOf(body);
  }
  return { is: 'hello', serverName, protocols };
}

function serverNameOf(extension: Reader): string | undefined {
  const list = extension.vector(2);
  let name: string | undefined;
  while (list.left > 0) {
    const type = list.number(1);
    const text = list.vector(2).rest().toString('latin1');
    if (type !== HOST_NAME) continue;
    if (name !== undefined) throw new Malformed('two server names');
    if (!NAME.test(text)) throw new Malformed('a server name that is none');
    name = text;
  }
  return name;
}

function protocolsOf(extension: Reader): string[] {
  const list = extension.vector(2);
  const protocols: string[] = [];
  while (list.left > 0) protocols.push(list.vector(1).rest().toString('latin1'));
  return protocols;
}

/** Reads numbers and vectors; whatever would go over the end is malformed. */
class Reader {
  #at = 0;

  constructor(private readonly buffer: Buffer) {}

  get left(): number {
    return this.buffer.length - this.#at;
  }

  bytes(count: number): Buffer {
    if (count > this.left) throw new Malformed('a length that goes over the end');
    this.#at += count;
    return this.buffer.subarray(this.#at - count, this.#at);
  }

  number(size: 1 | 2): number {
    return this.bytes(size).readUIntBE(0, size);
  }

  /** What follows a length of that many bytes. */
  vector(size: 1 | 2): Reader {
    return new Reader(this.bytes(this.number(size)));
  }

  rest(): Buffer {
    return this.bytes(this.left);
  }
}
