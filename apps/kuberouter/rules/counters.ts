import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';

/** Reasons for which a packet is refused or dropped, each with a counter of its name. */
export const REFUSALS = {
  spoofed: 'its source is none of the network it came from',
  router: 'a port of the router that containers do not need',
  private: 'a private, reserved or configured network',
  container: 'another container',
  port: 'a closed port, as SMTP',
  rate: 'more new connections than a container may open',
  queries: 'more questions to DNS than a container may ask',
  elsewhere: 'another interface than the outside one',
  entry: 'from outside to a container, other than by a forwarded port',
  outside: 'from outside to a port of the router that is not open',
  midstream: 'of a TCP connection that the router does not know',
  ipv6: 'IPv6 on a LAN that has none',
} as const;
export type Refusal = keyof typeof REFUSALS;

/** What leaves and what comes back. */
export const FLOWS = ['sent', 'received'] as const;

export const COUNTERS: readonly string[] = [...Object.keys(REFUSALS).map((reason) => `refused_${reason}`), ...FLOWS];

export interface Count {
  readonly packets: number;
  readonly bytes: number;
}
export type Counts = ReadonlyMap<string, Count>;

const listing = z.object({
  nftables: z.array(z.object({ counter: z.object({ name: z.string(), packets: z.int(), bytes: z.int() }).optional() })),
});

/** The answer to `nft -j list counters`. @throws PlatformError PROTOCOL when it does not fit. */
export function parseCounters(text: string): Counts {
  try {
    const found = listing.parse(JSON.parse(text)).nftables.flatMap(({ counter }) => (counter ? [counter] : []));
    return new Map(found.map(({ name, packets, bytes }) => [name, { packets, bytes }]));
  } catch (cause) {
    throw new PlatformError('PROTOCOL', 'nft lists counters in a way that is not known.', { cause });
  }
}
