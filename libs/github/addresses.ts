import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { PlatformError } from '#libs/errors/platform-error.js';

/** Metadata services that stand at addresses which are public by their form. */
const METADATA: ReadonlySet<string> = new Set(['168.63.129.16']);

/**
 * Why an address is not public: `loopback`, `private`, `linkLocal`, `uniqueLocal`, `metadata`, …; undefined when it is. IPv4 addresses inside
 * of IPv6 ones (mapped, NAT64) are judged as what they are.
 */
export function privateReason(address: string): string | undefined {
  if (isIP(address) === 0) return 'unknown';
  const parsed = ipaddr.process(address);
  const range = parsed.range();
  if (range === 'rfc6052') return privateReason(parsed.toByteArray().slice(12).join('.'));
  if (METADATA.has(parsed.toString())) return 'metadata';
  return range === 'unicast' ? undefined : range;
}

/** @throws PlatformError FORBIDDEN when the address is not public. */
export function assertPublic(address: string, host: string): void {
  const reason = privateReason(address);
  if (reason === undefined) return;
  throw new PlatformError('FORBIDDEN', `${host} is at an address that is not public (${reason}): nothing is read from there.`, {
    details: { reason: 'private-address', range: reason },
  });
}

/** What a name stands for: all of its addresses. */
export type ResolveAll = (
  host: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void;

/**
 * A look-up for connections: what it checked is what is connected to, whatever the name stands for a moment later. A name with one address that
 * is not public is refused as a whole.
 */
export function publicLookup(resolveAll: ResolveAll = lookup): LookupFunction {
  return (host, options, callback) => {
    resolveAll(host, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 0);
      try {
        for (const { address } of found) assertPublic(address, host);
      } catch (refusal) {
        return callback(refusal as Error, '', 0);
      }
      const first = found[0];
      if (options.all === true) callback(null, found);
      else callback(null, first?.address ?? '', first?.family ?? 0);
    });
  };
}
