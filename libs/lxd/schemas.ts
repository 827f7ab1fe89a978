import { z } from 'zod';
import type { LxdClusterMember, LxdDevice, LxdEvent, LxdImage, LxdInstance, LxdInstanceState, LxdPoolSpace, LxdServer } from './types.js';

/** Go writes an empty map or list as null. */
const orEmpty = <T extends z.ZodType>(schema: T, empty: z.output<T>) => schema.nullish().transform((value) => value ?? empty);
const strings = z.record(z.string(), z.string());
const device = strings;

/** In an unreachable member's row of a list everything but name, status and location is empty or null. */
export const instance: z.ZodType<LxdInstance> = z.looseObject({
  name: z.string().min(1),
  status: z.string(),
  status_code: z.number(),
  type: z.string(),
  location: z.string(),
  created_at: z.string(),
  last_used_at: z.string(),
  profiles: orEmpty(z.array(z.string()), []),
  config: orEmpty(strings, {}),
  devices: orEmpty(z.record(z.string(), device), {}),
  expanded_devices: orEmpty(z.record(z.string(), device), {}),
});

const address = z.looseObject({ family: z.string(), address: z.string(), netmask: z.string(), scope: z.string() });

const counters = z.looseObject({
  bytes_received: z.number(),
  bytes_sent: z.number(),
  packets_received: z.number(),
  packets_sent: z.number(),
});

const networkInterface = z.looseObject({
  addresses: orEmpty(z.array(address), []),
  counters,
  hwaddr: z.string(),
  mtu: z.number(),
  state: z.string(),
  type: z.string(),
});

export const instanceState: z.ZodType<LxdInstanceState> = z.looseObject({
  status: z.string(),
  status_code: z.number(),
  disk: orEmpty(z.record(z.string(), z.looseObject({ usage: z.number() })), {}),
  memory: z.looseObject({ usage: z.number(), usage_peak: z.number() }),
  network: z
    .record(z.string(), networkInterface)
    .nullish()
    .transform((value) => value ?? null),
  pid: z.number(),
  processes: z.number(),
  cpu: z.looseObject({ usage: z.number() }),
});

export const image: z.ZodType<LxdImage> = z.looseObject({
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  aliases: orEmpty(z.array(z.looseObject({ name: z.string(), description: z.string() })), []),
  properties: orEmpty(strings, {}),
  size: z.number(),
  architecture: z.string(),
  type: z.string(),
  cached: z.boolean(),
  uploaded_at: z.string(),
  last_used_at: z.string(),
});

export const poolResources: z.ZodType<{ readonly space: LxdPoolSpace }> = z.looseObject({
  space: z.looseObject({ total: z.number(), used: z.number() }),
});

export const profile: z.ZodType<{ readonly devices: Readonly<Record<string, LxdDevice>> }> = z.looseObject({
  devices: orEmpty(z.record(z.string(), device), {}),
});

export const imageAlias = z.looseObject({ name: z.string(), target: z.string().regex(/^[0-9a-f]{64}$/), description: z.string() });

export const server: z.ZodType<LxdServer> = z.looseObject({
  auth: z.string(),
  api_extensions: z.array(z.string()),
  config: orEmpty(z.record(z.string(), z.unknown()), {}),
  environment: z.looseObject({
    certificate_fingerprint: z.string(),
    server_name: z.string(),
    server_version: z.string(),
    server_clustered: z.boolean(),
    architectures: orEmpty(z.array(z.string()), []),
  }),
});

export const clusterMember: z.ZodType<LxdClusterMember> = z.looseObject({
  server_name: z.string(),
  url: z.string(),
  status: z.string(),
  message: z.string(),
  roles: orEmpty(z.array(z.string()), []),
  architecture: z.string(),
});

export const event: z.ZodType<LxdEvent> = z.looseObject({
  type: z.string(),
  timestamp: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  location: z.string().exactOptional(),
  project: z.string().exactOptional(),
});

export const rawOperation = z.looseObject({
  id: z.string().min(1),
  class: z.string(),
  description: z.string(),
  status: z.string(),
  status_code: z.number(),
  resources: orEmpty(z.record(z.string(), orEmpty(z.array(z.string()), [])), {}),
  metadata: orEmpty(z.record(z.string(), z.unknown()), {}),
  may_cancel: z.boolean(),
  err: z.string(),
});
export type RawOperation = z.output<typeof rawOperation>;

/** `GET /1.0/operations?recursion=1`: lists by lower-case status name; `{}` when there are none. */
export const operationsByStatus = z.record(z.string(), orEmpty(z.array(rawOperation), []));
