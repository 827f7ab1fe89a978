import type { UpgradeAction } from '../domain/upgrade/actions.js';
import type { WantedDeletion } from '../domain/upgrade/deletion.js';
import type { DesiredUpgrade } from '../domain/upgrade/desired.js';
import type { GateAim, GateCall, GateOutcome } from '../domain/upgrade/gates.js';
import type { Build, ObservedCluster, TargetImage } from '../domain/upgrade/observed.js';
import type { Planned, UpgradePlan } from '../domain/upgrade/plan.js';
import type { BackStage, WayBack } from '../domain/upgrade/way-back.js';
import type { Acting } from './activities.js';
import type { MemberRow, UpgradeInput, WriteLatency } from './upgrades.js';

/** From the worker's configuration when an upgrade or a scaling began; it keeps them to its end. */
export interface RunSettings {
  readonly approvalSeconds: number;
  /** Whoever asked for it may not approve it. */
  readonly twoPersons: boolean;
  /** How long it stands still for somebody: paused, or after a failure. */
  readonly standSeconds: number;
}

export interface UpgradeSettings extends RunSettings {
  readonly probeLease: { readonly seconds: number };
  readonly merge: 'ours' | 'person';
}

export interface PreparedUpgrade {
  readonly settings: UpgradeSettings;
  readonly desired: Omit<DesiredUpgrade, 'target'>;
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
  /** Merged for what the gate waits for: when it stands in the repository no more, the gate fails and says by whom. */
  readonly proposal?: Proposal | undefined;
  /** Gates that follow with nothing between: the look at which this one passes answers them, too. */
  readonly also?: readonly { readonly call: GateCall; readonly aim: GateAim }[];
}

/** What a gate says; while it passes and has to settle it is `waiting`, with how long still in `progress`. */
export interface GateReading {
  readonly outcome: GateOutcome;
  /** For the next call, while it settles. */
  readonly passingSince: string | undefined;
  readonly table: readonly MemberRow[];
  readonly readings: number;
  readonly writes?: readonly WriteLatency[];
  /** ISO 8601 */
  readonly at: string;
  /** When it has passed: what the same look says of `also`, in that order. */
  readonly also?: readonly GateOutcome[];
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

/** What an activity of an upgrade or a scaling is told of the plan it works on. */
export interface OfPlan {
  readonly cluster: string;
  readonly hash: string;
  readonly kind: string;
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
  /** By what is to be seen now; of several members that seem to be down it makes sure. Without `stage` the first one. */
  planWayBack(acting: Acting, plan: UpgradePlan, desired: DesiredUpgrade, stage?: BackStage): Promise<WayBack>;
  observeCluster(acting: Acting, cluster: string): Promise<ObservedCluster>;
  /** Reads the cluster anew at each poll; returns as {@link GateWatch} says, and when the outcome is no wait. */
  watchGate(acting: Acting, cluster: string, watch: GateWatch): Promise<GateReading>;
  saveCopies(acting: Acting, plan: OfPlan, members: readonly string[]): Promise<SavedCopies>;
  /** Server-side apply of just our fields. */
  patchTemplate(acting: Acting, plan: OfPlan, change: TemplateChange): Promise<void>;
  /** Branch, commit and pull request, or those that are there already. `text` is the plan for its reader. */
  proposeTemplate(acting: Acting, plan: UpgradePlan, change: TemplateChange, stepId: string): Promise<Proposal>;
  /** As `watchGate`, for the merge; merges itself when that is configured and the checks have passed. */
  watchProposal(
    acting: Acting,
    plan: OfPlan,
    proposal: Proposal,
    watch: Omit<GateWatch, 'call' | 'aim' | 'proposal'>,
  ): Promise<GateReading>;
  /** Closes a pull request that is still open. */
  withdrawProposal(acting: Acting, plan: OfPlan, proposal: Proposal): Promise<void>;
  recreateStatefulSet(acting: Acting, plan: OfPlan, action: Extract<UpgradeAction, { do: 'recreate-statefulset' }>): Promise<void>;
  setUpdateStrategy(acting: Acting, plan: OfPlan, action: Extract<UpgradeAction, { do: 'set-update-strategy' }>): Promise<void>;
  evacuateMember(acting: Acting, plan: OfPlan, member: string): Promise<void>;
  restoreMember(acting: Acting, plan: OfPlan, member: string): Promise<void>;
  /**
   * Deletes those that have not the template's revision yet; returns when they are gone or replaced. Their next pods are drawn to `nodes`.
   * @throws CONFLICT when the template does not show the build any more, or the repository not what was merged, by whom; when `quorum` is `kept`,
   * also when it would leave no majority; and when a gate of `still` does not pass. `details.deleted` is `none` while the old pods are all there.
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

/** Of `still`: passed since the last deletion, and looked at once more before this one, since days may lie between. */
export interface PodDeletion extends WantedDeletion {
  readonly pods: readonly string[];
  /** Whose pods these are, in the same order. */
  readonly members: readonly string[];
  /** Where the data of each member is, as the plan has it; of those that move, none. */
  readonly nodes?: Readonly<Record<string, string>>;
  readonly build: Build;
  /** Merged for these pods' successors. */
  readonly proposal?: Proposal | undefined;
}

export interface ProbeLeaseHold {
  readonly lease: string;
  readonly seconds: number;
  readonly by: string;
  readonly why: string;
}
