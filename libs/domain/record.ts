import { z } from 'zod';
import { LEGACY_RECORD_KEY, RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { type Converted, convertLegacy } from './legacy-record.js';
import { canBeHost } from './names.js';
import { suspensionSchema } from './suspension.js';

const portForward = z.looseObject({
  protocol: z.enum(['tcp', 'udp']),
  external: z.int().min(1).max(65535),
  internal: z.int().min(1).max(65535),
  proxyProtocol: z.literal(true).optional(),
});

const DNS_LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const username = z.string().regex(new RegExp(`^${DNS_LABEL}$`, 'i'), 'must be able to be a host name');
const domain = z
  .string()
  .max(253)
  .regex(new RegExp(`^${DNS_LABEL}(?:\\.${DNS_LABEL})+$`), 'must be a host name in lower case');

/** The record of a webspace, kept in its LXD instance's config: the only place where it is written down. Unknown fields are kept. */
export const recordSchema = z.looseObject({
  schema: z.literal(1),
  uid: z.string().min(1),
  phase: z.enum(['creating', 'ready']),
  createdBy: z.string().min(1),
  deletedBy: z.string().optional(),
  /** Without a user name while the identity service knows no account of that id: the original kept none. */
  owner: z.looseObject({ id: z.string().min(1), username: username.optional() }),
  http: z.looseObject({
    port: z.int().min(1).max(65535),
    startupDelaySeconds: z.number().min(0).max(60),
    sniPassthrough: z.boolean(),
  }),
  domains: z.array(domain),
  ports: z.array(portForward),
  /** Without an address until the next planned start of a webspace that the original made, which used DHCP. */
  network: z.looseObject({ address: z.ipv4().optional() }),
  /** The last change of this record, so that a repeated step knows its own work. */
  lastChange: z
    .looseObject({
      operation: z.string(),
      previous: z.object({ startupDelaySeconds: z.number(), httpPort: z.int(), sniPassthrough: z.boolean() }),
      added: z.array(
        z.object({ protocol: z.enum(['tcp', 'udp']), external: z.int(), internal: z.int(), proxyProtocol: z.literal(true).optional() }),
      ),
    })
    .optional(),
  policy: z.looseObject({ alwaysOn: z.boolean(), suspended: suspensionSchema.optional() }),
  image: z.looseObject({ alias: z.string().optional(), fingerprint: z.string() }),
  createdAt: z.string(),
});

export type WebspaceRecord = z.infer<typeof recordSchema>;

/** What is read of an instance to know its record. */
export interface RecordHolder {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
  /** As LXD tells it. */
  readonly created_at?: string;
}

/** Whether the instance is a webspace, with a record that can be read or not: ours, or the original's. */
export function hasRecord({ config }: Pick<RecordHolder, 'config'>): boolean {
  return Boolean(config[RECORD_KEY] || config[LEGACY_RECORD_KEY]);
}

/** Whether the original made the webspace and nothing of ours has written to it yet. */
export function isLegacy(instance: Pick<RecordHolder, 'config'>): boolean {
  return hasRecord(instance) && !instance.config[RECORD_KEY];
}

/**
 * The record of an instance, converted when it is one of the original's; undefined when the instance is not a webspace (has no record).
 * @throws PlatformError PROTOCOL naming the field when there is a record that does not fit: that one webspace is unhealthy, no other.
 */
export function parseRecord(instance: RecordHolder): WebspaceRecord | undefined {
  if (!hasRecord(instance)) return undefined;
  return isLegacy(instance) ? parseLegacy(instance).record : parseOurs(instance);
}

/** The original's record of an instance, converted, and what is not taken over as it stands. @throws as {@link parseRecord}. */
export function parseLegacy(instance: RecordHolder): Converted {
  const value = jsonOf(instance, LEGACY_RECORD_KEY);
  try {
    return convertLegacy(instance, value);
  } catch (error) {
    throw unreadable(instance.name, LEGACY_RECORD_KEY, error instanceof z.ZodError ? placeOf(error) : messageOf(error), error);
  }
}

function parseOurs(instance: RecordHolder): WebspaceRecord {
  const parsed = recordSchema.safeParse(jsonOf(instance, RECORD_KEY));
  if (parsed.success) return parsed.data;
  throw unreadable(instance.name, RECORD_KEY, placeOf(parsed.error), parsed.error);
}

function jsonOf({ name, config }: RecordHolder, key: string): unknown {
  try {
    return JSON.parse(config[key] ?? '');
  } catch (cause) {
    throw unreadable(name, key, 'it is not JSON', cause);
  }
}

function placeOf({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.join('.') || 'record'}: ${issue?.message ?? 'not valid'}`;
}

function unreadable(name: string, key: string, why: string, cause: unknown): PlatformError {
  return new PlatformError(
    'PROTOCOL',
    `The record of ${name} (LXD config key ${key}) cannot be read: ${why}. Correct the key with "lxc config edit ${name}".`,
    { details: { field: key }, cause },
  );
}

/** The record with its owner's user name, which one of the original does not hold. A name that cannot be a host is left out. */
export function withUsername(record: WebspaceRecord, username: string): WebspaceRecord {
  if (record.owner.username !== undefined || !canBeHost(username)) return record;
  return { ...record, owner: { ...record.owner, username } };
}

/** The record of an instance, or undefined when it has none or it cannot be read. */
export function readableRecord(instance: RecordHolder): WebspaceRecord | undefined {
  try {
    return parseRecord(instance);
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'PROTOCOL') return undefined;
    throw error;
  }
}

/** The uid of an instance's record, or undefined when it has none or it cannot be read: then it is nobody's that we know. */
export function uidOf(instance: RecordHolder): string | undefined {
  return readableRecord(instance)?.uid;
}

/** Whether there is a record that cannot be read. */
export function isUnreadable(instance: RecordHolder): boolean {
  return hasRecord(instance) && uidOf(instance) === undefined;
}

/** The config value of a record. */
export function serialiseRecord(record: WebspaceRecord): string {
  return JSON.stringify(record);
}

/**
 * Whether the root file system of an instance made from an image was unpacked to the end. LXD 5.0 sets `volatile.apply_template` as the
 * last step of the unpacking and drops it at the first start, which leaves `volatile.last_state.power` behind.
 */
export function isComplete(instance: { readonly config: Readonly<Record<string, string>> }): boolean {
  return 'volatile.apply_template' in instance.config || 'volatile.last_state.power' in instance.config;
}
