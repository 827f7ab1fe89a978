import type { ScaleGateCall } from '../domain/scale/gates.js';
import type { DesiredScale } from '../domain/scale/observed.js';
import type { PlannedScale, ScalePlan } from '../domain/scale/plan.js';
import type { ScaleStep } from '../domain/scale/steps.js';
import type { Acting } from './activities.js';
import type { Requester } from './operations.js';
import type { GateReading, GateWatch, OfPlan, RunSettings } from './upgrade-activities.js';
import type { MemberRow, RunView } from './upgrades.js';

/** What an admin asks for. */
export interface ScaleRequest {
  readonly replicas: number;
  /** Of members that go; kept when absent. */
  readonly volumes?: DesiredScale['volumes'];
  /** Members that go and are away; refused when absent. */
  readonly lost?: DesiredScale['lost'];
}

export interface ScaleInput extends ScaleRequest {
  /** As that of an upgrade: the lock of the cluster is the same. */
  readonly name: string;
  readonly cluster: string;
  readonly operationId: string;
  readonly requestedBy: Requester;
  /** Ends with the plan; changes nothing and takes no lock. */
  readonly dryRun?: true;
}

/** Query of `scaleLxd8s`. Answers {@link ScaleView}. Its Updates are those of an upgrade. */
export const SCALE_QUERY = 'scaling';

export type ScaleView = RunView<ScalePlan, ScaleRequest>;

/** What the workflow ends with; the same as its last view, in a sentence. */
export interface ScaleReport extends ScaleView {
  readonly summary: string;
}

export interface PreparedScale {
  readonly settings: RunSettings;
  readonly desired: DesiredScale;
}

export interface ScalePlanning {
  readonly planned: PlannedScale;
  readonly table: readonly MemberRow[];
}

export type ScaleConfirmation =
  | { readonly is: 'same' }
  | {
      readonly is: 'changed';
      readonly planned: PlannedScale;
      readonly differences: readonly string[];
      readonly table: readonly MemberRow[];
    };

export interface ScaleGateWatch extends Omit<GateWatch, 'call' | 'aim' | 'proposal' | 'also'> {
  readonly call: ScaleGateCall;
  readonly stuckSeconds: number;
}

/** The activities of scalings beside those of upgrades, by their names in Temporal UI. Each may run twice. All throw our codes. */
export interface ScaleActivities {
  /** Settings and what is wanted; changes nothing. @throws NOT_FOUND when no such cluster is configured. */
  prepareScale(acting: Acting, input: ScaleInput): Promise<PreparedScale>;
  planScale(acting: Acting, cluster: string, desired: DesiredScale): Promise<ScalePlanning>;
  /** Plans anew and compares. */
  confirmScale(acting: Acting, plan: ScalePlan, desired: DesiredScale): Promise<ScaleConfirmation>;
  planScaleBack(acting: Acting, plan: ScalePlan, desired: DesiredScale): Promise<readonly ScaleStep[]>;
  /** As `watchGate` of an upgrade. */
  watchScaleGate(acting: Acting, cluster: string, watch: ScaleGateWatch): Promise<GateReading>;
  /** Server-side apply of just `spec.replicas`. @throws CONFLICT when that would end the pod of a member that is not empty, or a gate of `still` does not pass. */
  setReplicas(acting: Acting, plan: OfPlan, change: ReplicasChange): Promise<void>;
  /** Takes it out of the cluster by force. @throws CONFLICT when its pod is there or asked for, or when something is on it that is not given up. */
  removeMember(acting: Acting, plan: OfPlan, removal: MemberRemoval): Promise<void>;
  /** @throws CONFLICT while it is a member, or its pod is there. */
  deleteClaims(acting: Acting, plan: OfPlan, deletion: ClaimsDeletion): Promise<void>;
}

export interface ReplicasChange {
  readonly replicas: number;
  /** Gates that passed before it: looked at once more, since hours may lie between. */
  readonly still?: readonly ScaleGateCall[];
  /** Members whose data is given up. */
  readonly lost: readonly string[];
}

export interface MemberRemoval {
  readonly member: string;
  readonly lost: readonly string[];
}

export interface ClaimsDeletion {
  readonly member: string;
  readonly claims: readonly string[];
}
