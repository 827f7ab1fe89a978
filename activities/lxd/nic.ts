import type { Platform } from '#libs/domain/platform.js';
import type { LxdDevice, LxdInstanceState } from '#libs/lxd/types.js';

/** The network interface of a webspace, with its own address; what the profile's says besides is kept. */
export function ownNic({ network }: Pick<Platform, 'network'>, address: string, profiles?: LxdDevice): LxdDevice {
  const kept = profiles?.['network'] === network ? profiles : {};
  return { ...kept, type: 'nic', network, name: 'eth0', 'ipv4.address': address };
}

/** What a container has sent by its first interface since its start, in bytes; undefined while it has none. */
export function sentBytesOf({ network }: Pick<LxdInstanceState, 'network'>): number | undefined {
  return network?.['eth0']?.counters.bytes_sent;
}

/** The address that LXD reports of a running container: the last global IPv4 one of its first interface, as the original took it. */
export function reportedAddressOf({ network }: Pick<LxdInstanceState, 'network'>): string | undefined {
  return network?.['eth0']?.addresses.filter(({ family, scope }) => family === 'inet' && scope === 'global').at(-1)?.address;
}
