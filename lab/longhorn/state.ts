import { z } from 'zod';

/** Where all of the simulator's memory of a volume is, so that it goes on after a restart as if nothing had been. */
export const STATE_ANNOTATION = 'simulator.webspaces.ie/state';

const replicaSchema = z.object({
  name: z.string(),
  node: z.string(),
  /** `failed` has left the engine after a rebuild error. */
  mode: z.enum(['RW', 'WO', 'ERR', 'failed']),
  /** When it came into this mode; of WO, when its building began. */
  sinceMs: z.number(),
  /** WO: when its building was complete, or ended with an error. */
  ended: z.object({ as: z.enum(['complete', 'error']), atMs: z.number() }).optional(),
});

const stateSchema = z.object({
  attachment: z.enum(['detached', 'attaching', 'attached', 'detaching']),
  sinceMs: z.number(),
  /** Where it is attached, and for which pod. */
  node: z.string().optional(),
  podUid: z.string().optional(),
  replicas: z.array(replicaSchema),
  /** Replicas that were ever made, for their names. */
  made: z.number(),
  /** Since when there has been one copy too many. */
  surplusSinceMs: z.number().optional(),
});

export type ReplicaState = z.infer<typeof replicaSchema>;
export type VolumeState = z.infer<typeof stateSchema>;

export function newState(nowMs: number): VolumeState {
  return { attachment: 'detached', sinceMs: nowMs, replicas: [], made: 0 };
}

/** What an annotation holds; undefined for none. */
export function parseState(text: string | undefined): VolumeState | undefined {
  return text === undefined ? undefined : stateSchema.parse(JSON.parse(text));
}

/** What does not change, and what happens around a volume. */
export interface Surroundings {
  readonly name: string;
  readonly sizeBytes: number;
  readonly numberOfReplicas: number;
  readonly dataLocality: 'disabled' | 'best-effort' | 'strict-local';
  /** The pod that uses it, once it has a node. */
  readonly pod?: { readonly uid: string; readonly node: string };
  /** Nodes that a replica may be placed on, in the order of their names. */
  readonly nodes: readonly string[];
}
