import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { RunTool } from '#libs/linux/tools.js';
import { canonical, familyOf } from './addresses.js';
import type { Link } from './kernel-state.js';

/** What VXLAN puts in front of a frame, and the frame's own Ethernet header: outer IP, UDP 8, VXLAN 8, Ethernet 14. */
const OVERHEAD = { ipv4: 50, ipv6: 70 } as const;
/** Addresses for documentation: nobody is asked, the kernel only says from where it would send. */
const ELSEWHERE = ['192.0.2.1', '2001:db8::1'] as const;

const routeSchema = z.array(z.object({ prefsrc: z.string().optional() }));

export interface Underlay {
  readonly address: string;
  /** Of its interface. */
  readonly linkMtu: number;
}

/** The largest frame's content that VXLAN takes between addresses of this family over a link with this MTU. */
export function contentOf(linkMtu: number, address: string): number {
  return linkMtu - OVERHEAD[familyOf(address)];
}

/** The configured address, or the one from which this machine sends to elsewhere. @throws PlatformError UNAVAILABLE without one. */
export async function underlayOf(configured: string | undefined, links: ReadonlyMap<string, Link>, run: RunTool): Promise<Underlay> {
  const address = configured === undefined ? await sourceAddress(run) : (canonical(configured) ?? configured);
  for (const { mtu, addr_info } of links.values()) {
    if (!addr_info.some(({ local }) => local !== undefined && canonical(local) === address)) continue;
    return { address, linkMtu: mtu };
  }
  throw new PlatformError('UNAVAILABLE', `No interface has the underlay's address ${address}.`);
}

async function sourceAddress(run: RunTool): Promise<string> {
  const failures: unknown[] = [];
  for (const target of ELSEWHERE) {
    try {
      const source = routeSchema.parse(JSON.parse(await run('ip', ['-j', 'route', 'get', target])))[0]?.prefsrc;
      const address = source === undefined ? undefined : canonical(source);
      if (address !== undefined) return address;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new PlatformError('UNAVAILABLE', "There is no default route to take the underlay's address from: set underlay.address.", {
    cause: failures.at(0),
  });
}
