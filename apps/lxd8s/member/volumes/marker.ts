import { randomUUID } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';

/** By this file a volume is known: without it only an empty volume is used, and never one that only looks empty of LXD. */
export const MARKER = '.webspaces-volume.json';

const schema = z.looseObject({
  schema: z.literal(1),
  /** Made once, with the volume's first use. */
  uid: z.string().min(1),
  statefulSet: z.string().min(1),
  member: z.string().min(1),
  madeAt: z.string(),
  /** The cluster in which the LXD on this volume is a member. */
  cluster: z.string().optional(),
  /** Uid of the volume for storage that goes with it. */
  storage: z.string().optional(),
});
export type Marker = z.output<typeof schema>;

export function newMarker(of: { readonly statefulSet: string; readonly member: string }): Marker {
  return { schema: 1, uid: randomUUID(), madeAt: new Date().toISOString(), ...of };
}

/** Undefined when there is none. @throws PlatformError PROTOCOL when it is not one of ours. */
export async function readMarker(folder: string): Promise<Marker | undefined> {
  let text: string;
  try {
    text = await readFile(join(folder, MARKER), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const parsed = schema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new PlatformError('PROTOCOL', `${MARKER} on it cannot be read as the mark of a volume`, { cause: parsed.error });
}

/** On the disk when this returns, whole or not at all. */
export async function writeMarker(folder: string, marker: Marker): Promise<void> {
  const beside = join(folder, `${MARKER}.new`);
  const file = await open(beside, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(marker)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, join(folder, MARKER));
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema says that it is no mark.
    return undefined;
  }
}
