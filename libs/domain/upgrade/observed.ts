/** What decides whether members of one LXD cluster can serve together: compared by LXD at each start (table `nodes`). */
export interface Versions {
  readonly schema: number;
  /** How many API extensions the daemon has. */
  readonly apiExtensions: number;
}

/** What a pod runs, as far as it may change LXD's versions. */
export interface Build {
  readonly image: string;
  /** Variables that count, e.g. LXD_ARTIFICIALLY_BUMP_API_EXTENSIONS. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Which way LXD waits for members that differ. `upwards`: a member that is behind the row of another exits and its own row stays as it was
 * (LXD 5.0). `both`: it waits as one that is ahead does, with its row written.
 */
export type Alignment = 'upwards' | 'both';

export interface ObservedMember {
  readonly name: string;
  readonly pod: string;
  readonly architecture: string;
  readonly status: 'Online' | 'Evacuated' | 'Offline' | 'Blocked';
  /** LXD's message beside the status. */
  readonly message: string;
  /**
   * `/internal/ready`: serving, waiting for others (503), or no answer. The status alone does not tell: LXD 5.0 shows a waiting member as Online.
   * One that waits and whose part of the database does not answer yet is silent, too: it has no vote.
   */
  readonly answers: 'serving' | 'waiting' | 'silent';
  /** The row of table `nodes`: what its daemon recorded at its last start. */
  readonly versions: Versions;
  readonly database: 'voter' | 'standby' | 'spare';
  readonly instancesRunning: number;
}

export const PROBE_KINDS = ['liveness', 'readiness', 'startup'] as const;
export type ProbeKind = (typeof PROBE_KINDS)[number];

export interface ObservedPod {
  readonly name: string;
  readonly node?: string;
  readonly revision: string;
  readonly build: Build;
  readonly phase: 'Pending' | 'Running' | 'Failed' | 'Unknown';
  readonly ready: 'yes' | 'no';
  readonly deleting: 'yes' | 'no';
  readonly restarts: number;
  /** The kubelet's or the scheduler's word for why it does not run: CrashLoopBackOff, ImagePullBackOff, Unschedulable. */
  readonly trouble?: { readonly reason: string; readonly message: string };
  readonly probes: readonly ProbeKind[];
}

export type UpdateStrategy = { readonly type: 'OnDelete' } | { readonly type: 'RollingUpdate'; readonly partition: number };

export interface ObservedStatefulSet {
  readonly name: string;
  readonly replicas: number;
  readonly podManagementPolicy: 'OrderedReady' | 'Parallel';
  readonly updateStrategy: UpdateStrategy;
  readonly updateRevision: string;
  readonly template: { readonly build: Build; readonly probes: readonly ProbeKind[] };
}

export interface ObservedReplica {
  readonly name: string;
  readonly node: string;
  /** Longhorn's `replicaModeMap`; WO is written only, not read: it is being built. Absent for one that the engine does not have. */
  readonly mode?: 'RW' | 'WO' | 'ERR';
  readonly rebuild?: {
    readonly state: 'in_progress' | 'complete' | 'error';
    /** As Longhorn says it: older versions go over 100. */
    readonly progressPercent: number;
    /** How long the number has stood still, by the observer's clock. */
    readonly unchangedSeconds: number;
    readonly bytesPerSecond?: number;
    readonly error?: string;
  };
}

export interface ObservedVolume {
  readonly name: string;
  readonly member: string;
  readonly state: 'creating' | 'attached' | 'detached' | 'attaching' | 'detaching' | 'deleting';
  readonly robustness: 'healthy' | 'degraded' | 'faulted' | 'unknown';
  readonly dataLocality: 'disabled' | 'best-effort' | 'strict-local';
  readonly numberOfReplicas: number;
  readonly sizeBytes: number;
  /** Where it is being moved to, while a live migration is under way. */
  readonly migratingTo?: string;
  readonly expanding: 'yes' | 'no';
  readonly engine?: { readonly node: string; readonly state: string };
  readonly replicas: readonly ObservedReplica[];
  /** Condition `Scheduled` when it is false, e.g. ReplicaSchedulingFailure, LocalReplicaSchedulingFailure. */
  readonly schedulingFailure?: { readonly reason: string; readonly message: string };
}

/** What was read from a throw-away instance of the image that is wanted. */
export interface TargetImage {
  readonly versions: Versions;
  readonly serverVersion: string;
  readonly digest: string;
  readonly architectures: readonly string[];
  readonly alignment: Alignment;
}

/** Whether a node has the wanted image; `absent` while it is pulled. */
export interface ImageOnNode {
  readonly node: string;
  readonly state: 'present' | 'absent' | 'failed';
  readonly message?: string;
}

export interface OtherOperation {
  readonly id: string;
  readonly kind: 'upgrade' | 'operation';
  readonly description: string;
}

/** Everything a decision may look at, read at one moment. The order within the lists means nothing. */
export interface ObservedCluster {
  readonly name: string;
  readonly members: readonly ObservedMember[];
  /** Name of the member that leads dqlite, if one does. */
  readonly leader?: string;
  readonly alignment: Alignment;
  readonly statefulSet: ObservedStatefulSet;
  readonly pods: readonly ObservedPod[];
  /** `longhorn`: each member has a volume in {@link volumes}. `unwatched`: another kind of storage, which no gate looks at. */
  readonly storage: 'longhorn' | 'unwatched';
  readonly volumes: readonly ObservedVolume[];
  readonly images: readonly ImageOnNode[];
  /** Of the nodes where pods of the cluster are, those that take no new ones. */
  readonly cordoned: readonly string[];
  /** What else works on the cluster, this upgrade left out. */
  readonly operations: readonly OtherOperation[];
}
