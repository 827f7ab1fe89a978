import type { ScaleGateName } from '../domain/scale/observed.js';
import type { PlannedStep } from '../domain/upgrade/actions.js';
import type { DesiredUpgrade } from '../domain/upgrade/desired.js';
import type { GateName, GateOutcome } from '../domain/upgrade/gates.js';
import type { ProbeKind } from '../domain/upgrade/observed.js';
import type { UpgradePlan } from '../domain/upgrade/plan.js';
import type { ErrorCode } from './error-codes.js';
import type { Requester } from './operations.js';
import { API_GROUP } from './webspaces-api.js';

/** What an upgrade leaves on Kubernetes objects: on the Lease of the probes, on the StatefulSet, on throw-away pods. */
export const UPGRADE_KEYS = {
  /** Label of throw-away pods: the operation id. */
  operation: `${API_GROUP}/upgrade`,
  /** Annotations of the Lease: whose upgrade, why, until when at the latest. */
  by: `${API_GROUP}/upgrade-by`,
  why: `${API_GROUP}/upgrade-why`,
  until: `${API_GROUP}/upgrade-until`,
  /** Annotation of the Lease that locks the cluster ({@link clusterLockOf}): members that are being replaced just now, with commas. */
  replacing: `${API_GROUP}/replacing`,
  /** And since when the last of them is, ISO 8601. */
  replacingSince: `${API_GROUP}/replacing-since`,
  /** Annotation of the StatefulSet: its probes as JSON, written before they are taken out of the template. */
  probes: `${API_GROUP}/probes`,
} as const;

/** The Lease whose holder may change a cluster, and the `name` of its operations. */
export function clusterLockOf(cluster: string): string {
  return `cluster-${cluster}`;
}

/** The `name` of a dry run, which holds nothing: it is not found among a cluster's upgrades, and stops none. */
export function dryRunOf(cluster: string): string {
  return `plan-${cluster}`;
}

/** Workflows that only look at clusters, and their ids: who asks while one runs joins it. They end within {@link LOOK_SECONDS}. */
export const CLUSTER_LOOKS = {
  list: { workflow: 'listClusters', id: () => 'look' },
  one: { workflow: 'lookAtCluster', id: (cluster: string) => `look:${cluster}` },
} as const;
export const LOOK_SECONDS = 60;

/** The clusters that may be upgraded and scaled are known to workers only. */
export interface ClusterActivities {
  /** Names, sorted. */
  listClusters(): Promise<readonly string[]>;
}

/** What an admin asks for. */
export interface UpgradeRequest {
  readonly image: string;
  /** Variables that count; those of the template that are not named stay. */
  readonly environment?: Readonly<Record<string, string>>;
  /** In a rolling upgrade; the cluster's setting when absent. */
  readonly instances?: DesiredUpgrade['instances'];
}

export interface UpgradeInput extends UpgradeRequest {
  /** {@link clusterLockOf} the cluster; {@link dryRunOf} it in a dry run. */
  readonly name: string;
  readonly cluster: string;
  readonly operationId: string;
  readonly requestedBy: Requester;
  /** Ends with the plan; changes nothing and takes no lock. */
  readonly dryRun?: true;
}

/** A row of the table that people look at. */
export interface MemberRow {
  readonly member: string;
  readonly status: string;
  readonly answers: string;
  readonly versions: string;
  readonly database: string;
  readonly pod: string;
  readonly node: string;
  readonly image: string;
  readonly probes: readonly ProbeKind[];
  readonly volumes: string;
}

/** What a round of `sweepClusters` has found and done on one cluster. */
export interface ClusterSweep {
  readonly cluster: string;
  /** Workflow that had left the Lease of the probes behind. */
  readonly released?: string;
  /** Put back into the template. */
  readonly probesBack: readonly string[];
  /** Throw-away pods of upgrades that have ended. */
  readonly podsRemoved: readonly string[];
  /** Members that run without a probe they should have. */
  readonly podsWithoutProbes: readonly string[];
  /** What could not be looked at; the next round tries again. */
  readonly errors: readonly string[];
}

export interface ClusterSweepActivities {
  /** Repairs what upgrades that ended without their last steps have left. */
  sweepClusters(): Promise<readonly ClusterSweep[]>;
}

/** Updates of `upgradeLxd8s` and `scaleLxd8s`. Each takes one argument, answers {@link UpgradeAnswer}, and has a validator that refuses in words. */
export const UPGRADE_UPDATES = {
  approve: 'approve',
  pause: 'pause',
  resume: 'resume',
  retry: 'retry',
  skip: 'skip',
  abort: 'abort',
} as const;
export type UpgradeUpdate = keyof typeof UPGRADE_UPDATES;

export interface ApproveUpgrade {
  readonly by: Requester;
  readonly hash: string;
  /** Needed when the plan has a point of no return. */
  readonly acceptPointOfNoReturn?: boolean;
}

export interface UpgradeOrder {
  readonly by: Requester;
  readonly reason?: string;
}

export interface SkipGate {
  readonly by: Requester;
  readonly gate: GateName | ScaleGateName | 'change-merged';
  readonly reason: string;
}

export interface UpgradeAnswer {
  /** What happens now, in a sentence. */
  readonly answer: string;
}

/** Query of `upgradeLxd8s`. Answers {@link UpgradeView}. */
export const UPGRADE_QUERY = 'upgrade';

export const UPGRADE_PHASES = [
  'planning',
  'awaiting-approval',
  'running',
  'paused',
  'failed-step',
  'going-back',
  'finished',
  'went-back',
  'planned',
  'nothing-to-do',
  'refused',
  'ended',
] as const;
/** `planned`: a dry run's end. `failed-step`: somebody has to say retry, skip or abort. `ended`: before anything was changed, or standing as it is. */
export type UpgradePhase = (typeof UPGRADE_PHASES)[number];

/** What is waited for now, and who can do something about it. */
export interface UpgradeWait {
  readonly for: string;
  readonly progress?: string;
  /** ISO 8601 */
  readonly since: string;
  readonly deadline: string;
  /** Updates that count now, as they are sent: name and JSON argument. */
  readonly updates: readonly { readonly name: UpgradeUpdate; readonly argument: string; readonly who: string }[];
}

/** How long a small write takes until it is on the member's volume, measured once when the volumes were settled. */
export interface WriteLatency {
  readonly member: string;
  readonly milliseconds?: number;
  /** Why there is no number. */
  readonly error?: string;
}

/** A step of a plan that people approve, of an upgrade or a scaling. */
export interface RunStep {
  /** Stable within the plan: `07-delete-pods`. */
  readonly id: string;
  readonly action: { readonly do: string; readonly gate?: string; readonly way?: string };
  /** The action as a sentence without its end. */
  readonly text: string;
  readonly reason: string;
  /** Whether it may stand still before this step. */
  readonly pause: 'allowed' | 'not-here';
}

export interface RunPlan {
  readonly cluster: string;
  readonly kind: string;
  /** What is approved. */
  readonly hash: string;
  readonly steps: readonly RunStep[];
  readonly pointOfNoReturn?: { readonly step: string; readonly reason: string };
}

export interface RunStepView<S extends RunStep = RunStep> {
  readonly step: S;
  readonly text: string;
  readonly way: 'forth' | 'back';
  readonly state: 'planned' | 'running' | 'done' | 'failed' | 'skipped' | 'not-needed';
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly outcome?: GateOutcome;
  readonly readings?: number;
  /** Of `volumes-settled`, once it has passed. */
  readonly writes?: readonly WriteLatency[];
  readonly error?: { readonly code: ErrorCode; readonly message: string };
  /** What it gave: the place of the copies, the pull request. */
  readonly result?: string;
}

export type UpgradeStepView = RunStepView<PlannedStep>;

export interface AuditEntry {
  /** ISO 8601 */
  readonly at: string;
  readonly by: Requester;
  readonly did: 'requested' | UpgradeUpdate;
  readonly about: string;
}

/** What is known of an upgrade or a scaling while it is under way. */
export interface RunView<P extends RunPlan, R> {
  readonly cluster: string;
  readonly operationId: string;
  readonly request: R;
  readonly phase: UpgradePhase;
  /** Present once planned: to be approved, or as approved. */
  readonly plans: readonly P[];
  readonly approvedHash?: string;
  /** What has become different since a plan was approved or shown. */
  readonly differences: readonly string[];
  /** What could not be done, is not waited for, and is left to an operator; absent when there is nothing. */
  readonly notes?: readonly string[];
  readonly refusals: readonly { readonly code: string; readonly reason: string; readonly remedy: string }[];
  readonly steps: readonly RunStepView<P['steps'][number]>[];
  readonly wait?: UpgradeWait;
  readonly table: readonly MemberRow[];
  readonly audit: readonly AuditEntry[];
  /** ISO 8601 */
  readonly startedAt: string;
  readonly endedAt?: string;
}

export type UpgradeView = RunView<UpgradePlan, UpgradeRequest>;

/** What the workflow ends with; the same as its last view, and sums. */
export interface UpgradeReport extends UpgradeView {
  readonly members: readonly {
    readonly member: string;
    /** From the deletion of its pod until it served again, each time it was replaced. */
    readonly away: readonly { readonly from: string; readonly until?: string; readonly seconds?: number }[];
    /** What the plan expected of all of it together. */
    readonly expectedSeconds?: number;
    /** Of a small write to its volume: before it was replaced first, and after all. */
    readonly write?: { readonly beforeMs?: number; readonly afterMs?: number };
  }[];
  /** LXD's API in lockstep: from the first deletion until all members served. */
  readonly api?: { readonly expectedSeconds: number; readonly seconds?: number };
  readonly summary: string;
}
