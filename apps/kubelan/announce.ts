import type { RunTool } from '#libs/linux/tools.js';
import { familyOf } from './addresses.js';

/**
 * Tells all neighbours at which MAC these own addresses are now. IPv4: a question for the own address, which the kernel broadcasts with itself as
 * sender (gratuitous ARP, RFC 5227 section 3), so that no raw socket is needed. IPv6: the kernel sends an unsolicited advertisement (RFC 4861
 * section 7.2.6) when the interface's MAC is set, to the same; only where `/proc/sys` may be written, elsewhere neighbours find out by their probes.
 */
export async function announce(run: RunTool, device: string, mac: string | undefined, addresses: readonly string[]): Promise<void> {
  const four = addresses.filter((address) => familyOf(address) === 'ipv4');
  if (four.length > 0) {
    await run('ip', ['-batch', '-'], four.map((address) => `neigh replace ${address} dev ${device} use\n`).join(''));
  }
  if (four.length === addresses.length || mac === undefined) return;
  await run('sysctl', ['-qw', `net.ipv6.conf.${device.replaceAll('.', '/')}.ndisc_notify=1`]);
  await run('ip', ['link', 'set', 'dev', device, 'address', mac]);
}
