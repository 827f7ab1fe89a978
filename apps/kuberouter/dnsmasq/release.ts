import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/**
 * Gives leases back in their clients' name, by DHCPRELEASE (RFC 2131) from this machine to itself: dnsmasq would keep a reserved lease, and its
 * name in DNS, although its reservation is gone. Nothing is answered to it.
 */
export async function releaseLeases(router: string, leases: readonly { readonly address: string; readonly mac: string }[]): Promise<void> {
  if (leases.length === 0) return;
  const socket = createSocket('udp4');
  try {
    socket.bind(0, router);
    await once(socket, 'listening');
    for (const lease of leases) {
      await new Promise<void>((resolve, reject) =>
        socket.send(releaseMessage(router, lease), 67, router, (error) => (error ? reject(error) : resolve())),
      );
    }
  } finally {
    socket.close();
  }
}

const COOKIE = [99, 130, 83, 99];
const DHCPRELEASE = 7;

function releaseMessage(router: string, { address, mac }: { readonly address: string; readonly mac: string }): Buffer {
  const message = Buffer.alloc(300);
  // BOOTREQUEST over Ethernet.
  Buffer.from([1, 1, 6, 0]).copy(message, 0);
  octets(address).copy(message, 12);
  Buffer.from(mac.replaceAll(':', ''), 'hex').copy(message, 28);
  Buffer.from([...COOKIE, 53, 1, DHCPRELEASE, 54, 4, ...octets(router), 255]).copy(message, 236);
  return message;
}

function octets(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}
