/** Addresses of a TCP connection as the gateway accepted it. */
export interface Ends {
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly address: string;
  readonly port: number;
}

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const VERSION_2_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;

/** The header of PROXY protocol version 2 for TCP over IPv4 (haproxy's proxy-protocol.txt, 2.2). */
export function proxyHeader({ clientAddress, clientPort, address, port }: Ends): Buffer {
  const header = Buffer.alloc(28);
  SIGNATURE.copy(header);
  header.writeUInt8(VERSION_2_PROXY, 12);
  header.writeUInt8(TCP_OVER_IPV4, 13);
  header.writeUInt16BE(12, 14);
  Buffer.from(ipv4Bytes(clientAddress)).copy(header, 16);
  Buffer.from(ipv4Bytes(address)).copy(header, 20);
  header.writeUInt16BE(clientPort, 24);
  header.writeUInt16BE(port, 26);
  return header;
}

function ipv4Bytes(address: string): number[] {
  return address
    .replace(/^::ffff:/, '')
    .split('.')
    .map(Number);
}
