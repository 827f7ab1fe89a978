import { z } from 'zod';
import { canonicalDomain } from './domain-name.js';
import type { WebspaceRecord } from './record.js';
import { uuidOf } from './uuid.js';

/** `createdBy` of a webspace that the original made. */
export const ADOPTED = 'adopted';
/** The original's own defaults and our limit of a delay. */
const HTTP_PORT = 80;
const STARTUP_DELAY_SECONDS = 3;
const MAX_STARTUP_DELAY_SECONDS = 60;
const MAX_PORT = 65_535;

/** What the original wrote (webspaced 0.5.1, Go's JSON: an empty list or map may be null). */
const legacySchema = z.looseObject({
  user: z.int().min(0),
  config: z
    .looseObject({ startupDelay: z.number().optional(), httpPort: z.number().optional(), sniPassthrough: z.boolean().optional() })
    .nullish(),
  domains: z.array(z.string()).nullish(),
  ports: z.record(z.string(), z.number()).nullish(),
});

/** As far as a record follows from it; of LXD's answer. */
export interface LegacyInstance {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
  readonly created_at?: string;
}

export interface Converted {
  readonly record: WebspaceRecord;
  /** What of the original's record is not taken over as it stands, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Our record for one of the original's, which holds neither user name nor address. Pure, so that two readers agree on its uid before it is written.
 * Values that the original let pass and no webspace can have are replaced or left out, each with a warning.
 * @throws ZodError or Error, saying what cannot be read.
 */
export function convertLegacy(instance: LegacyInstance, value: unknown): Converted {
  const { user, config, domains, ports } = legacySchema.parse(value);
  const nameSays = /u(\d+)$/.exec(instance.name)?.[1];
  if (nameSays !== String(user)) throw new Error(`user: ${user} does not fit the name ${instance.name}`);
  const warnings: string[] = [];
  const record: WebspaceRecord = {
    schema: 1,
    uid: uuidOf([ADOPTED, instance.name, instance.config['volatile.uuid'] ?? instance.created_at ?? '']),
    phase: 'ready',
    createdBy: ADOPTED,
    owner: { id: String(user) },
    http: {
      port: httpPortOf(config?.httpPort, warnings),
      startupDelaySeconds: delayOf(config?.startupDelay, warnings),
      sniPassthrough: config?.sniPassthrough ?? false,
    },
    domains: domainsOf(domains ?? [], warnings),
    ports: portsOf(ports ?? {}, warnings),
    network: {},
    policy: { alwaysOn: false },
    image: { fingerprint: instance.config['volatile.base_image'] ?? '' },
    createdAt: dateOf(instance.created_at),
  };
  return { record, warnings };
}

function httpPortOf(port: number | undefined, warnings: string[]): number {
  if (port === undefined) return HTTP_PORT;
  if (isPort(port)) return port;
  warnings.push(`httpPort ${port} is no port that can be visited; ${HTTP_PORT} is used`);
  return HTTP_PORT;
}

function delayOf(seconds: number | undefined, warnings: string[]): number {
  const delay = seconds ?? STARTUP_DELAY_SECONDS;
  const kept = Math.min(Math.max(delay, 0), MAX_STARTUP_DELAY_SECONDS);
  if (kept !== delay) warnings.push(`startupDelay ${delay} is beyond 0 to ${MAX_STARTUP_DELAY_SECONDS} s; ${kept} is used`);
  return kept;
}

function domainsOf(domains: readonly string[], warnings: string[]): string[] {
  const kept = domains.flatMap((domain) => {
    try {
      const name: string = canonicalDomain(domain);
      if (name !== domain) warnings.push(`domain ${JSON.stringify(domain)} is written ${name}`);
      return [name];
    } catch {
      warnings.push(`domain ${JSON.stringify(domain)} is no host name and is left out`);
      return [];
    }
  });
  return [...new Set(kept)];
}

function portsOf(ports: Readonly<Record<string, number>>, warnings: string[]): WebspaceRecord['ports'] {
  return Object.entries(ports).flatMap(([key, internal]) => {
    const external = /^[1-9]\d{0,4}$/.test(key) ? Number(key) : 0;
    if (isPort(external) && isPort(internal)) return [{ protocol: 'tcp' as const, external, internal }];
    warnings.push(`forward ${JSON.stringify(key)} to ${internal} is none between two ports and is left out`);
    return [];
  });
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= MAX_PORT;
}

/** The time as our records have it, so that ages compare as texts; 1970 when LXD does not tell. */
function dateOf(text: string | undefined): string {
  const at = Date.parse(text ?? '');
  return new Date(Number.isNaN(at) ? 0 : at).toISOString();
}
