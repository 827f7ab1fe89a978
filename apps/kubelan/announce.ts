import { createSocket } from 'node:dgram';
import ipaddr from 'ipaddr.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { RunTool } from '#libs/linux/tools.js';
import { familyOf } from './addresses.js';
import { type Address, written } from './plan-links.js';

/** Nobody answers there, and nobody has to (RFC 863). */
const DISCARD_PORT = 9;

/**
 * Tells all neighbours at which MAC these own addresses are now. When an interface's MAC is set, to the same as well, the kernel sends a gratuitous
 * ARP and an unsolicited neighbour advertisement for each address, if two settings of it say so. A pod may not write these: then IPv4 is told
 * by a question, which every neighbour's kernel takes a new MAC from, and IPv6 is found out by the neighbours' probes.
 */
export async function announce(run: RunTool, device: string, mac: string | undefined, addresses: readonly Address[]): Promise<void> {
  if (mac === undefined || !(await mayNotify(run, device))) {
    for (const address of addresses) if (familyOf(address.address) === 'ipv4') await ask(run, device, address);
    return;
  }
  await run('ip', ['link', 'set', 'dev', device, 'address', mac]);
}

async function mayNotify(run: RunTool, device: string): Promise<boolean> {
  const name = device.replaceAll('.', '/');
  try {
    await run('sysctl', ['-qw', `net.ipv4.conf.${name}.arp_notify=1`, `net.ipv6.conf.${name}.ndisc_notify=1`]);
    return true;
  } catch (error) {
    if (isPlatformError(error)) return false;
    throw error;
  }
}

/** A datagram from the address to a neighbour whose MAC is not known, so that the kernel asks all for it, as from that address. */
async function ask(run: RunTool, device: string, own: Address): Promise<void> {
  const target = lastOf(own);
  // Known again as soon as it is needed.
  await run('ip', ['neigh', 'flush', 'to', target, 'dev', device]);
  await new Promise<void>((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(0, own.address, () => {
      socket.send('', DISCARD_PORT, target, (error) => {
        socket.close();
        if (error) reject(error);
        else resolve();
      });
    });
  });
}

/** The last host of its subnet that it is not itself. */
function lastOf(own: Address): string {
  const broadcast = ipaddr.IPv4.broadcastAddressFromCIDR(written(own)).octets;
  const before = (steps: number) => [...broadcast.slice(0, 3), (broadcast[3] ?? 0) - steps].join('.');
  return before(1) === own.address ? before(2) : before(1);
}
