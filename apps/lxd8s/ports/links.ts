import { z } from 'zod';
import { type AddressRange, isInRange } from '#libs/domain/addresses.js';
import { addressOfPort, macOf } from '#libs/domain/lan.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Port, Ports } from './elements.js';

/** An interface that is in a bridge. */
export interface Link {
  readonly name: string;
  readonly bridge: string;
  readonly isolated: boolean;
}

const links = z.array(
  z.object({
    ifname: z.string().optional(),
    master: z.string().optional(),
    linkinfo: z
      .object({ info_slave_kind: z.string().optional(), info_slave_data: z.object({ isolated: z.boolean().optional() }).optional() })
      .optional(),
  }),
);

/** Interfaces in bridges, by the answer to `ip -j -d link show`. @throws PlatformError PROTOCOL */
export function parseLinks(text: string): Link[] {
  try {
    return links.parse(JSON.parse(text)).flatMap(({ ifname, master, linkinfo }) => {
      if (ifname === undefined || master === undefined || linkinfo?.info_slave_kind !== 'bridge') return [];
      return [{ name: ifname, bridge: master, isolated: linkinfo.info_slave_data?.isolated ?? false }];
    });
  } catch (cause) {
    throw new PlatformError('PROTOCOL', 'ip lists interfaces in a way that was not expected.', { cause });
  }
}

/** Where the network is on this member. */
export interface Place {
  readonly bridge: string;
  readonly uplink: string;
  /** Addresses of webspaces; a port that is named by any other is no webspace's. */
  readonly webspaces: AddressRange;
}

/**
 * What the interfaces of the bridge are. The name of a webspace's says its address; others are known when LXD has told their MAC, and stay
 * closed until then.
 */
export function portsOf(
  found: readonly Link[],
  { bridge, uplink, webspaces }: Place,
  told: ReadonlyMap<string, Port>,
): Ports & { unknown: string[] } {
  const here = found.filter((link) => link.bridge === bridge);
  const containers = here.flatMap(({ name }) => (name === uplink ? [] : [name]));
  const port = (name: string): Port | undefined => {
    const address = addressOfPort(name);
    return address !== undefined && isInRange(webspaces, address) ? { mac: macOf(address), address } : told.get(name);
  };
  return {
    uplinks: here.flatMap(({ name }) => (name === uplink ? [name] : [])),
    elsewhere: found.flatMap((link) => (link.bridge === bridge ? [] : [link.name])),
    known: new Map(
      containers.flatMap((name) => {
        const known = port(name);
        return known ? [[name, known] as const] : [];
      }),
    ),
    unknown: containers.filter((name) => port(name) === undefined),
  };
}
