import type { AimName, PlannedStep, UpgradeAction } from '../domain/upgrade/actions.js';
import type { DesiredUpgrade } from '../domain/upgrade/desired.js';
import type { GateAim, GateCall, GateName, GateOutcome } from '../domain/upgrade/gates.js';
import type { Build, ObservedCluster, ProbeKind, TargetImage } from '../domain/upgrade/observed.js';
import type { Planned, UpgradePlan } from '../domain/upgrade/plan.js';
import type { WayBack } from '../domain/upgrade/way-back.js';
import type { Acting } from './activities.js';
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

/** The clusters that may be upgraded are known to workers only. */
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

/** From the worker's configuration when the upgrade began; it keeps them to its end. */
export interface UpgradeSettings {
  readonly approvalSeconds: number;
  /** Whoever asked for the upgrade may not approve it. */
  readonly twoPersons: boolean;
  /** How long an upgrade stands still for somebody: paused, or after a failure. */
  readonly standSeconds: number;
  readonly probeLease: { readonly seconds: number };
  readonly merge: 'ours' | 'person';
}

export interface PreparedUpgrade {
  readonly settings: UpgradeSettings;
  readonly desired: Omit<DesiredUpgrade, 'target'>;
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

export interface Planning {
  readonly planned: Planned;
  readonly table: readonly MemberRow[];
}

/** `fresh` only when the cluster is not what was approved any more: the plan of the same kind, or others when there is none of it. */
export type Confirmation =
  | { readonly is: 'same' }
  | { readonly is: 'changed'; readonly planned: Planned; readonly differences: readonly string[]; readonly table: readonly MemberRow[] };

export interface GateWatch {
  readonly call: GateCall;
  readonly aim: GateAim;
  readonly settleSeconds: number;
  /** ISO 8601: later than this it does not wait. */
  readonly deadline: string;
  /** What it waited for when it was left last; empty at first. */
  readonly knownReason: string;
  /** `change`: it returns when it waits for something else than `knownReason`. `outcome`: only when it no longer waits, since it has returned often. */
  readonly returnOn: 'change' | 'outcome';
  /** Returns after so long although nothing has changed, with newer numbers. */
  readonly returnAfterSeconds: number;
  /** ISO 8601: it has passed since then at every look of the calls before this one, and has to until `settleSeconds` are over. A second attempt begins anew. */
  readonly passingSince: string | undefined;
}

/** What a gate says; while it passes and has to settle it is `waiting`, with how long still in `progress`. */
export interface GateReading {
  readonly outcome: GateOutcome;
  /** For the next call, while it settles. */
  readonly passingSince: string | undefined;
  readonly table: readonly MemberRow[];
  readonly readings: number;
  /** ISO 8601 */
  readonly at: string;
}

/** The template by pull request: found again by its branch. */
export interface Proposal {
  /** 0 when the repository held the values already. */
  readonly number: number;
  readonly url: string;
  readonly branch: string;
  /** What was written into the file of the repository: it is still ours while these stand there. */
  readonly values: readonly { readonly path: readonly string[]; readonly value: string | number | boolean }[];
}

export interface SavedCopies {
  /** Where, for people: a folder or a Secret. */
  readonly place: string;
  readonly files: readonly { readonly name: string; readonly sizeBytes: number; readonly sha256: string }[];
}

/** A step of the template: what the StatefulSet shall show. */
export type TemplateChange = Extract<UpgradeAction, { do: 'patch-template' }>;

/** What an activity of an upgrade is told of the plan it works on. */
export interface OfPlan {
  readonly cluster: string;
  readonly hash: string;
  readonly kind: UpgradePlan['kind'];
}

/** The activities of upgrades, by their names in Temporal UI. Each may run twice. All throw our codes. */
export interface UpgradeActivities {
  /** Settings and what is wanted; changes nothing. @throws NOT_FOUND when no such cluster is configured, INVALID_INPUT naming the field. */
  prepareUpgrade(acting: Acting, input: UpgradeInput): Promise<PreparedUpgrade>;
  /** @throws CONFLICT at once when another upgrade holds it; waits out one that has just ended. */
  takeClusterLock(acting: Acting, cluster: string): Promise<void>;
  /** Has the image pulled to the nodes of the members by throw-away pods, which stay until `finishUpgrade`; does not wait for them. */
  pullImages(acting: Acting, input: UpgradeInput): Promise<void>;
  /** Versions, digest and architectures, read from a throw-away instance of the image. @throws OPERATION_FAILED with its last lines when LXD does not come up in it. */
  probeTargetVersion(acting: Acting, input: UpgradeInput): Promise<TargetImage>;
  /** Reads the cluster and plans. */
  planUpgrade(acting: Acting, cluster: string, desired: DesiredUpgrade): Promise<Planning>;
  /** Plans anew in the same order and compares. */
  confirmPlan(acting: Acting, plan: UpgradePlan, desired: DesiredUpgrade): Promise<Confirmation>;
  planWayBack(acting: Acting, plan: UpgradePlan, desired: DesiredUpgrade): Promise<WayBack>;
  observeCluster(acting: Acting, cluster: string): Promise<ObservedCluster>;
  /** Reads the cluster anew at each poll; returns as {@link GateWatch} says, and when the outcome is no wait. */
  watchGate(acting: Acting, cluster: string, watch: GateWatch): Promise<GateReading>;
  saveCopies(acting: Acting, plan: OfPlan, members: readonly string[]): Promise<SavedCopies>;
  /** Server-side apply of just our fields. */
  patchTemplate(acting: Acting, plan: OfPlan, change: TemplateChange): Promise<void>;
  /** Branch, commit and pull request, or those that are there already. `text` is the plan for its reader. */
  proposeTemplate(acting: Acting, plan: UpgradePlan, change: TemplateChange, stepId: string): Promise<Proposal>;
  /** As `watchGate`, for the merge; merges itself when that is configured and the checks have passed. */
  watchProposal(acting: Acting, plan: OfPlan, proposal: Proposal, watch: Omit<GateWatch, 'call' | 'aim'>): Promise<GateReading>;
  /** Closes a pull request that is still open. */
  withdrawProposal(acting: Acting, plan: OfPlan, proposal: Proposal): Promise<void>;
  recreateStatefulSet(acting: Acting, plan: OfPlan, action: Extract<UpgradeAction, { do: 'recreate-statefulset' }>): Promise<void>;
  setUpdateStrategy(acting: Acting, plan: OfPlan, action: Extract<UpgradeAction, { do: 'set-update-strategy' }>): Promise<void>;
  evacuateMember(acting: Acting, plan: OfPlan, member: string): Promise<void>;
  restoreMember(acting: Acting, plan: OfPlan, member: string): Promise<void>;
  /**
   * Deletes those that have not the template's revision yet; returns when they are gone or replaced.
   * @throws CONFLICT when the template does not show `aim`'s build any more, or, when `quorum` is `kept`, when it would leave no majority.
   */
  deletePods(acting: Acting, plan: OfPlan, deletion: PodDeletion): Promise<void>;
  /** Takes the Lease that makes probes lenient. @throws CONFLICT when another open upgrade holds it. */
  takeProbeLease(acting: Acting, plan: OfPlan, lease: ProbeLeaseHold): Promise<void>;
  /** Renews it until it is cancelled. */
  holdProbeLease(acting: Acting, plan: OfPlan, lease: ProbeLeaseHold): Promise<void>;
  releaseProbeLease(acting: Acting, plan: OfPlan, lease: Pick<ProbeLeaseHold, 'lease'>): Promise<void>;
  /** Removes throw-away pods and frees the lock. */
  finishUpgrade(acting: Acting, cluster: string): Promise<void>;
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

export interface PodDeletion {
  readonly pods: readonly string[];
  /** Whose pods these are, in the same order. */
  readonly members: readonly string[];
  readonly build: Build;
  readonly quorum: 'kept' | 'lost-on-purpose' | 'no-margin';
}

export interface ProbeLeaseHold {
  readonly lease: string;
  readonly seconds: number;
  readonly by: string;
  readonly why: string;
}

/** Updates of `upgradeLxd8s`. Each takes one argument, answers {@link UpgradeAnswer}, and has a validator that refuses in words. */
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
  readonly gate: GateName | 'change-merged';
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

export interface UpgradeStepView {
  readonly step: PlannedStep;
  readonly text: string;
  readonly way: 'forth' | 'back';
  readonly state: 'planned' | 'running' | 'done' | 'failed' | 'skipped' | 'not-needed';
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly outcome?: GateOutcome;
  readonly readings?: number;
  readonly error?: { readonly code: string; readonly message: string };
  /** What it gave: the place of the copies, the pull request. */
  readonly result?: string;
}

export interface AuditEntry {
  /** ISO 8601 */
  readonly at: string;
  readonly by: Requester;
  readonly did: 'requested' | UpgradeUpdate;
  readonly about: string;
}

export interface UpgradeView {
  readonly cluster: string;
  readonly operationId: string;
  readonly request: UpgradeRequest;
  readonly phase: UpgradePhase;
  /** Present once planned: to be approved, or as approved. */
  readonly plans: readonly UpgradePlan[];
  readonly approvedHash?: string;
  /** What has become different since a plan was approved or shown. */
  readonly differences: readonly string[];
  readonly refusals: readonly { readonly code: string; readonly reason: string; readonly remedy: string }[];
  readonly steps: readonly UpgradeStepView[];
  readonly wait?: UpgradeWait;
  readonly table: readonly MemberRow[];
  readonly audit: readonly AuditEntry[];
  /** ISO 8601 */
  readonly startedAt: string;
  readonly endedAt?: string;
}

/** What the workflow ends with; the same as its last view, and sums. */
export interface UpgradeReport extends UpgradeView {
  readonly members: readonly {
    readonly member: string;
    /** From the deletion of its pod until it served again, each time it was replaced. */
    readonly away: readonly { readonly from: string; readonly until?: string; readonly seconds?: number }[];
    /** What the plan expected of all of it together. */
    readonly expectedSeconds?: number;
  }[];
  /** LXD's API in lockstep: from the first deletion until all members served. */
  readonly api?: { readonly expectedSeconds: number; readonly seconds?: number };
  readonly summary: string;
}

export type { AimName };
