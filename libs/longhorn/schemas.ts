import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';

/** What Longhorn leaves out or nulls of a new object counts as empty. */
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const map = <T extends z.ZodType>(value: T) =>
  z
    .record(z.string(), value)
    .nullish()
    .transform((found) => found ?? {});
const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((found) => found ?? []);

const metadata = z.object({ name: z.string(), labels: map(z.string()), deletionTimestamp: text });
const conditions = list(z.object({ type: z.string(), status: text, reason: text, message: text }));
const stateOr = <const V extends readonly string[]>(values: V, empty: V[number]) =>
  z.preprocess((value) => value || empty, z.enum(values as unknown as [V[number], ...V[number][]]));

const VOLUME_STATES = ['creating', 'attached', 'detached', 'attaching', 'detaching', 'deleting'] as const;
const ROBUSTNESS = ['healthy', 'degraded', 'faulted', 'unknown'] as const;
const LOCALITIES = ['disabled', 'best-effort', 'strict-local'] as const;

const kubernetesStatus = z
  .object({ pvName: text, pvcName: text, namespace: text, workloadsStatus: list(z.object({ podName: text })) })
  .nullish()
  .transform((found) => found ?? { pvName: '', pvcName: '', namespace: '', workloadsStatus: [] });

const volumeOwnerSchema = z.object({
  metadata,
  status: z
    .object({ kubernetesStatus })
    .nullish()
    .transform((found) => found?.kubernetesStatus ?? kubernetesStatus.parse(undefined)),
});

const volumeStatus = z.object({
  state: stateOr(VOLUME_STATES, 'creating'),
  robustness: stateOr(ROBUSTNESS, 'unknown'),
  currentNodeID: text,
  currentMigrationNodeID: text,
  expansionRequired: flag,
  conditions,
});

const volumeSchema = z.object({
  metadata,
  spec: z.object({
    numberOfReplicas: z.number().int().nonnegative(),
    /** Bytes, as a text. */
    size: z.coerce.number().nonnegative(),
    dataLocality: stateOr(LOCALITIES, 'disabled'),
    migrationNodeID: text,
  }),
  status: volumeStatus.nullish().transform((found) => found ?? volumeStatus.parse({})),
});

const engineStatus = z.object({
  currentState: text,
  replicaModeMap: map(z.enum(['RW', 'WO', 'ERR'])),
  currentReplicaAddressMap: map(z.string()),
  rebuildStatus: map(z.object({ isRebuilding: flag, progress: z.number().default(0), state: text, error: text })),
  isExpanding: flag,
});

const engineSchema = z.object({
  metadata,
  spec: z.object({ nodeID: text, active: flag, replicaAddressMap: map(z.string()) }),
  status: engineStatus.nullish().transform((found) => found ?? engineStatus.parse({})),
});

const replicaStatus = z.object({ storageIP: text, ip: text, port: z.number().nullish(), conditions });

const replicaSchema = z.object({
  metadata,
  spec: z.object({ nodeID: text }),
  status: replicaStatus.nullish().transform((found) => found ?? replicaStatus.parse({})),
});

const nodeSchema = z.object({
  metadata,
  spec: z.object({ allowScheduling: flag }),
  status: z
    .object({ conditions, diskStatus: map(z.object({ conditions })) })
    .nullish()
    .transform((found) => found ?? { conditions: [], diskStatus: {} }),
});

const podSchema = z.object({
  spec: z.object({ volumes: list(z.object({ persistentVolumeClaim: z.object({ claimName: z.string() }).nullish() })) }),
});
const claimSchema = z.object({ spec: z.object({ volumeName: text }) });
const persistentVolumeSchema = z.object({
  spec: z.object({ csi: z.object({ driver: z.string(), volumeHandle: z.string() }).nullish() }),
});

export type LonghornVolume = z.infer<typeof volumeSchema>;
export type VolumeOwner = z.infer<typeof volumeOwnerSchema>;
export type LonghornEngine = z.infer<typeof engineSchema>;
export type LonghornReplica = z.infer<typeof replicaSchema>;
export type LonghornNode = z.infer<typeof nodeSchema>;

export const parseVolume = parser('Volume', volumeSchema);
export const parseVolumeOwner = parser('Volume', volumeOwnerSchema);
export const parseEngine = parser('Engine', engineSchema);
export const parseReplica = parser('Replica', replicaSchema);
export const parseNode = parser('Node', nodeSchema);
export const parsePod = parser('Pod', podSchema);
export const parseClaim = parser('PersistentVolumeClaim', claimSchema);
export const parsePersistentVolume = parser('PersistentVolume', persistentVolumeSchema);

/** Unknown fields are let be; a field that is known and of another form is PROTOCOL. */
function parser<T extends z.ZodType>(kind: string, schema: T): (object: { readonly metadata: { readonly name: string } }) => z.infer<T> {
  return (object) => {
    const result = schema.safeParse(object);
    if (result.success) return result.data;
    const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    throw new PlatformError('PROTOCOL', `${kind} ${object.metadata.name} is not of the form of longhorn.io/v1beta2: ${problems}.`, {
      cause: result.error,
    });
  };
}
