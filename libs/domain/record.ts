import { z } from 'zod';
import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { PlatformError } from '#libs/errors/platform-error.js';

const portForward = z.looseObject({
  protocol: z.enum(['tcp', 'udp']),
  external: z.int().min(1).max(65535),
  internal: z.int().min(1).max(65535),
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
  owner: z.looseObject({ id: z.string().min(1), username }),
  http: z.looseObject({
    port: z.int().min(1).max(65535),
    startupDelaySeconds: z.number().min(0).max(60),
    sniPassthrough: z.boolean(),
  }),
  domains: z.array(domain),
  ports: z.array(portForward),
  network: z.looseObject({ address: z.ipv4() }),
  policy: z.looseObject({ alwaysOn: z.boolean() }),
  /** The last change of this record, so that a repeated step knows its own work. */
  lastChange: z
    .looseObject({
      operation: z.string(),
      previous: z.object({ startupDelaySeconds: z.number(), httpPort: z.int(), sniPassthrough: z.boolean() }),
      added: z.array(z.object({ protocol: z.enum(['tcp', 'udp']), external: z.int(), internal: z.int() })),
    })
    .optional(),
  image: z.looseObject({ alias: z.string().optional(), fingerprint: z.string() }),
  createdAt: z.string(),
});

export type WebspaceRecord = z.infer<typeof recordSchema>;

/**
 * The record of an instance; undefined when the instance is not a webspace (has no record).
 * @throws PlatformError PROTOCOL naming the field when there is a record that does not fit: that one webspace is unhealthy, no other.
 */
export function parseRecord(instance: {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
}): WebspaceRecord | undefined {
  const text = instance.config[RECORD_KEY];
  if (text === undefined || text === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unreadable(instance.name, 'it is not JSON', cause);
  }
  const parsed = recordSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw unreadable(instance.name, `${issue?.path.join('.') || 'record'}: ${issue?.message ?? 'not valid'}`, parsed.error);
}

function unreadable(name: string, why: string, cause: unknown): PlatformError {
  return new PlatformError(
    'PROTOCOL',
    `The record of ${name} (LXD config key ${RECORD_KEY}) cannot be read: ${why}. Correct the key with "lxc config edit ${name}".`,
    {
      details: { field: RECORD_KEY },
      cause,
    },
  );
}

/** The uid of an instance's record, or undefined when it has none or it cannot be read: then it is nobody's that we know. */
export function uidOf(instance: { readonly name: string; readonly config: Readonly<Record<string, string>> }): string | undefined {
  try {
    return parseRecord(instance)?.uid;
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'PROTOCOL') return undefined;
    throw error;
  }
}

/** Whether there is a record that cannot be read. */
export function isUnreadable(instance: { readonly name: string; readonly config: Readonly<Record<string, string>> }): boolean {
  return Boolean(instance.config[RECORD_KEY]) && uidOf(instance) === undefined;
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
