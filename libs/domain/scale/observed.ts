import type { ObservedCluster } from '../upgrade/observed.js';

/** Everything that a plan of scaling may look at, read at one moment. Member `lxd-2` is the pod of that name. */
export interface ObservedScale {
  readonly cluster: ObservedCluster;
  /** Instances of each member, those too that do not run. */
  readonly instances: Readonly<Record<string, readonly string[]>>;
  /** Images and custom volumes that nobody but that member has, as they are called in a sentence: an evacuation leaves them. */
  readonly others: Readonly<Record<string, readonly string[]>>;
  /** Claims of volumes of the StatefulSet, also of members that are gone. */
  readonly claims: readonly { readonly name: string; readonly member: string }[];
  /** Nodes that take a pod and have none of a member. `any`: several members may be on one. */
  readonly freeNodes: number | 'any';
}

export interface DesiredScale {
  readonly replicas: number;
  /** What becomes of the volumes of members that go. A kept one hinders growing again: the LXD on it knows a cluster that does not know it. */
  readonly volumes: 'keep' | 'delete';
  /** Of members that go and are away. `given-up`: they are taken out with all that only they have. */
  readonly lost: 'refused' | 'given-up';
  readonly deadlinesSeconds: Partial<Readonly<Record<ScaleGateName, number>>>;
  /** How long volumes have to stay settled. */
  readonly settleSeconds: number;
  readonly stuckSeconds: number;
}

/** Gates that an upgrade has not. */
export const SCALE_OWN_GATES = ['member-joined', 'member-empty', 'pod-gone', 'member-removed'] as const;
/** The first four are those of an upgrade (`../upgrade`). */
export const SCALE_GATES = ['no-other-operation', 'members-online', 'quorum-margin', 'volumes-settled', ...SCALE_OWN_GATES] as const;
export type ScaleGateName = (typeof SCALE_GATES)[number];

export const SCALE_DEADLINES_SECONDS: Readonly<Record<ScaleGateName, number>> = {
  'no-other-operation': 900,
  'members-online': 600,
  'quorum-margin': 600,
  'volumes-settled': 14_400,
  'member-joined': 900,
  'member-empty': 7_200,
  'pod-gone': 600,
  'member-removed': 300,
};

/** Of `lxd-2` the 2; undefined for a name of another form. */
export function ordinalOf(statefulSet: string, member: string): number | undefined {
  const text = member.startsWith(`${statefulSet}-`) ? member.slice(statefulSet.length + 1) : '';
  return /^(0|[1-9]\d*)$/.test(text) ? Number(text) : undefined;
}
