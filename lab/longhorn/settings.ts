import { z } from 'zod';

/** ConfigMap in Longhorn's namespace; read anew all the time, what is not in it is as below. */
export const SETTINGS_NAME = 'longhorn-simulator';

const settingsSchema = z.object({
  /** How fast a copy is built. */
  bytesPerSecond: z.coerce
    .number()
    .positive()
    .default(512 * 1024 ** 2),
  /** How long each step takes: attach, detach, the look for a local copy, from complete to RW, the removal of a surplus copy. */
  stepMs: z.coerce.number().nonnegative().default(1_000),
  /** Of volumes that are made from now on. */
  numberOfReplicas: z.coerce.number().int().positive().default(2),
  /** Nodes with disks, separated by commas; all when empty. */
  nodes: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter(Boolean)),
  dataLocality: z.enum(['disabled', 'best-effort', 'strict-local']).default('best-effort'),
});

export type Settings = z.infer<typeof settingsSchema>;

/** @throws ZodError with the key at fault. */
export function parseSettings(data: unknown): Settings {
  return settingsSchema.parse(data ?? {});
}
