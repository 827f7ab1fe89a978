import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { z } from 'zod';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { timeLimit } from '#libs/net/time-limit.js';
import type { Peer } from './entrance.js';

const TIMEOUT_MS = 3_000;
const peer = z.looseObject({ member: z.string(), clustered: z.boolean().optional() });

/** Addresses of the other pods behind the headless Service, ready or not. @throws PlatformError UNAVAILABLE while this pod is not among them: an old answer. */
export async function addressesOfOthers(domain: string): Promise<string[]> {
  const all = await addressesOf(domain);
  const own = ownAddresses();
  if (!all.some((address) => own.has(address))) throw new PlatformError('UNAVAILABLE', `${domain} does not lead to this pod yet`);
  return all.filter((address) => !own.has(address));
}

/** Whether a name leads to this machine: a name whose address is an old one would have LXD listen nowhere. */
export async function isOwnName(name: string): Promise<boolean> {
  const own = ownAddresses();
  return (await addressesOf(name)).some((address) => own.has(address));
}

/** What each of the others says of itself. `clustered` is undefined while its LXD has not answered: it counts as silent. */
export function askPeers(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Peer[]> {
  return Promise.all(addresses.map((at) => askPeer(at, port, signal)));
}

async function askPeer(at: string, port: number, signal: AbortSignal): Promise<Peer> {
  try {
    const limit = AbortSignal.any([signal, timeLimit(TIMEOUT_MS)]);
    const answer = await fetch(`http://${at.includes(':') ? `[${at}]` : at}:${port}/peer`, { signal: limit });
    const { member, clustered } = peer.parse(await answer.json());
    if (clustered === undefined) return { at, is: 'silent', why: `${member} does not know yet` };
    return { at, is: clustered ? 'clustered' : 'alone', member };
  } catch (error) {
    signal.throwIfAborted();
    return { at, is: 'silent', why: messageOf(error) };
  }
}

async function addressesOf(name: string): Promise<string[]> {
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  } catch (error) {
    // A Service without pods has no name.
    if (['ENOTFOUND', 'ENODATA'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

function ownAddresses(): ReadonlySet<string> {
  return new Set(
    Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .map(({ address }) => address),
  );
}
