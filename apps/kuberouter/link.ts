import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { KuberouterConfig } from '#libs/config/kuberouter.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { RunTool } from '#libs/linux/tools.js';

/** The LAN's interface as the kernel has it. */
export interface Link {
  readonly index: number;
  readonly mtu: number;
  /** `address/length`. */
  readonly addresses: readonly string[];
}

/** Containers' default route of IPv6 leads here, whichever router is active. */
export const ROUTER_LINK_LOCAL = 'fe80::1';

const answer = z.array(
  z.looseObject({
    ifindex: z.int().optional(),
    mtu: z.int().optional(),
    flags: z.array(z.string()).default([]),
    addr_info: z.array(z.looseObject({ local: z.string().optional(), prefixlen: z.int().optional() })).default([]),
  }),
);

/** Addresses that the active router holds. */
export function heldAddresses({ ipv4, ipv6 }: KuberouterConfig['lan']): string[] {
  const length = ipaddr.parseCIDR(ipv4.subnet)[1];
  return [`${ipv4.router}/${length}`, ...(ipv6 ? [`${ipv6.router}/64`, `${ROUTER_LINK_LOCAL}/64`] : [])];
}

/** The LAN's interface, made by kubelan, and the router's addresses on it. Every method throws PlatformError UNAVAILABLE when ip fails. */
export class LanLink {
  readonly #run: RunTool;
  readonly #lan: KuberouterConfig['lan'];

  constructor(run: RunTool, lan: KuberouterConfig['lan']) {
    this.#run = run;
    this.#lan = lan;
  }

  /** Undefined while it is not there or not up. */
  async look(): Promise<Link | undefined> {
    let text: string;
    try {
      text = await this.#run('ip', ['-j', 'address', 'show', 'dev', this.#lan.interface]);
    } catch (error) {
      if (error instanceof PlatformError && String(error.details['output']).includes('does not exist')) return undefined;
      throw error;
    }
    const found = answer.parse(JSON.parse(text)).find(({ ifindex }) => ifindex !== undefined);
    if (found?.ifindex === undefined || found.mtu === undefined || !found.flags.includes('UP')) return undefined;
    const addresses = found.addr_info.flatMap(({ local, prefixlen }) => (local === undefined ? [] : [`${local}/${prefixlen}`]));
    return { index: found.ifindex, mtu: found.mtu, addresses };
  }

  /** The addresses of a router that are missing are set and announced. Says whether there were any. */
  async hold(link: Link): Promise<boolean> {
    const missing = heldAddresses(this.#lan).filter((address) => !link.addresses.includes(address));
    if (missing.length === 0) return false;
    const device = this.#lan.interface;
    await this.#batch([
      // Its advertisements must come from the address that the next router takes over.
      ...(this.#lan.ipv6 ? [`link set dev ${device} addrgenmode none`] : []),
      ...missing.map((address) => `address replace ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`),
    ]);
    await this.announce();
    return true;
  }

  async letGo(link: Link): Promise<void> {
    const held = heldAddresses(this.#lan).filter((address) => link.addresses.includes(address));
    await this.#batch(held.map((address) => `address delete ${address} dev ${this.#lan.interface}`));
  }

  /**
   * All on the LAN learn who has the router's address: the kernel asks by ARP for its own address (gratuitous ARP, RFC 5227 section 3), which
   * needs no raw socket. Of IPv6 the first router advertisement says the same.
   */
  async announce(): Promise<void> {
    await this.#batch([`neighbour replace ${this.#lan.ipv4.router} dev ${this.#lan.interface} use`]);
  }

  async #batch(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.#run('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
  }
}
