import { z } from 'zod';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import type { RunTool } from '#libs/linux/tools.js';
import { canonical } from './addresses.js';

/** What `ip -j -d address` and `bridge -j fdb` say, as far as it concerns the LAN. */

const linkSchema = z.object({
  ifname: z.string(),
  flags: z.array(z.string()),
  mtu: z.number(),
  address: z.string().optional(),
  master: z.string().optional(),
  linkinfo: z
    .object({
      info_kind: z.string().optional(),
      info_data: z
        .object({
          id: z.number(),
          local: z.string(),
          local6: z.string(),
          port: z.number(),
          ageing: z.number(),
        })
        .partial()
        .optional(),
    })
    .optional(),
  addr_info: z
    .array(z.object({ local: z.string().optional(), prefixlen: z.number().optional(), scope: z.string().optional() }))
    .default([]),
});
export type Link = z.output<typeof linkSchema>;

const entrySchema = z.object({
  mac: z.string(),
  dst: z.string().optional(),
  state: z.string().default(''),
  flags: z.array(z.string()).default([]),
  port: z.unknown().optional(),
  vni: z.unknown().optional(),
  via: z.unknown().optional(),
});

/** A forwarding entry of the VXLAN interface itself: frames to this MAC go to that address of the underlay. */
export interface Entry {
  readonly mac: string;
  readonly dst: string;
  /** `own`: of the flood list; `learned`: by the kernel from traffic; `foreign`: whatever else, others' and not touched. */
  readonly kind: 'own' | 'learned' | 'foreign';
}

export const ALL_ZEROS = '00:00:00:00:00:00';

export function parseLinks(json: string): ReadonlyMap<string, Link> {
  return new Map(parsed(json, linkSchema).map((link) => [link.ifname, link]));
}

/**
 * The flood list is kubelan's as a whole: entries of the MAC of zeros that are permanent and have no port, network or way of their own. What is
 * permanent, static or externally learned for another MAC somebody else has set.
 */
export function parseEntries(json: string): readonly Entry[] {
  return parsed(json, entrySchema).flatMap((entry) => {
    const dst = entry.dst === undefined ? undefined : canonical(entry.dst);
    return dst === undefined || !entry.flags.includes('self') ? [] : { mac: entry.mac, dst, kind: kindOf(entry) };
  });
}

function kindOf({ mac, state, flags, port, vni, via }: z.output<typeof entrySchema>): Entry['kind'] {
  const special = port !== undefined || vni !== undefined || via !== undefined || flags.includes('extern_learn');
  if (special) return 'foreign';
  if (mac === ALL_ZEROS) return state === 'permanent' ? 'own' : 'foreign';
  return state === 'permanent' || state === 'static' ? 'foreign' : 'learned';
}

export async function readLinks(run: RunTool): Promise<ReadonlyMap<string, Link>> {
  return parseLinks(await run('ip', ['-j', '-d', 'address', 'show']));
}

/** Of an interface that is not there: none. */
export async function readEntries(run: RunTool, name: string): Promise<readonly Entry[]> {
  try {
    return parseEntries(await run('bridge', ['-j', 'fdb', 'show', 'dev', name]));
  } catch (error) {
    if (isPlatformError(error) && /Cannot find device|does not exist/i.test(String(error.details['output']))) return [];
    throw error;
  }
}

/** What was filtered out, or went while it was listed, is an empty object there. */
function parsed<T>(json: string, schema: z.ZodType<T>): readonly T[] {
  try {
    const all = z.array(z.looseObject({})).parse(JSON.parse(json.trim() === '' ? '[]' : json));
    return all.filter((one) => Object.keys(one).length > 0).map((one) => schema.parse(one));
  } catch (cause) {
    throw new PlatformError('PROTOCOL', `ip or bridge printed something else than expected: ${messageOf(cause).slice(0, 300)}`, { cause });
  }
}
