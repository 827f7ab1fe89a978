import { macOf, portOf } from '#libs/domain/lan.js';
import type { Platform } from '#libs/domain/platform.js';
import type { LxdDevice, LxdInstance, LxdInstanceState } from '#libs/lxd/types.js';

type Networks = Pick<Platform, 'network' | 'bridge' | 'nic'>;

/**
 * The network interface of a webspace, with its own address; what the profile's says besides is kept. On a bridge that LXD manages LXD gives it
 * the address and lets it use no other; elsewhere its MAC and its port say which it is, to whoever gives addresses and watches ports.
 */
export function ownNic(platform: Networks, address: string, profiles?: LxdDevice): LxdDevice {
  return { ...guards(platform), ...(isOurs(platform, profiles) ? profiles : {}), ...place(platform), ...identity(platform, address) };
}

/**
 * The interface of a webspace that was made before its kind had all the guards that it has now; undefined when nothing is missing, and for one
 * that somebody has put elsewhere. What it says itself stands.
 */
export function guardedNic(platform: Networks, { devices }: Pick<LxdInstance, 'devices'>): LxdDevice | undefined {
  const own = devices['eth0'];
  // LXD refuses filters beside a VLAN.
  if (!isOurs(platform, own) || own?.['vlan'] !== undefined) return undefined;
  const missing = Object.entries(guards(platform)).filter(([key]) => own?.[key] === undefined);
  return missing.length === 0 ? undefined : { ...own, ...Object.fromEntries(missing) };
}

function isOurs({ network, bridge }: Networks, device: LxdDevice | undefined): boolean {
  return bridge === undefined ? device?.['network'] === network : device?.['parent'] === bridge;
}

function place({ network, bridge }: Networks): LxdDevice {
  return bridge === undefined ? { type: 'nic', name: 'eth0', network } : { type: 'nic', name: 'eth0', nictype: 'bridged', parent: bridge };
}

function identity({ bridge }: Networks, address: string): LxdDevice {
  return bridge === undefined ? { 'ipv4.address': address } : { hwaddr: macOf(address), host_name: portOf(address) };
}

/**
 * LXD's filters are chains for each container, which every frame walks; on the members' network one table of ours does the same (apps/lxd8s),
 * and LXD's would drop DHCP on its way to the router, which they let through to LXD's own server only.
 * IPv6 stays LXD's to say: the one address that it gives, none on a network without IPv6. `ipv6.address: none` would do so too, but LXD writes
 * it into its DHCP entries at each start of its own and then cannot start the container (5.0.2 to the newest: `UpdateDNSMasqStatic`).
 */
function guards({ bridge, nic }: Networks): LxdDevice {
  const isolated = nic.isolation === 'strict' ? { 'security.port_isolation': 'true' } : {};
  if (bridge !== undefined) return isolated;
  return {
    'security.mac_filtering': 'true',
    'security.ipv4_filtering': 'true',
    'security.ipv6_filtering': 'true',
    ...isolated,
  };
}

/** What a container has sent by its first interface since its start, in bytes; undefined while it has none. */
export function sentBytesOf({ network }: Pick<LxdInstanceState, 'network'>): number | undefined {
  return network?.['eth0']?.counters.bytes_sent;
}

/** The address that LXD reports of a running container: the last global IPv4 one of its first interface, as the original took it. */
export function reportedAddressOf({ network }: Pick<LxdInstanceState, 'network'>): string | undefined {
  return network?.['eth0']?.addresses.filter(({ family, scope }) => family === 'inet' && scope === 'global').at(-1)?.address;
}
