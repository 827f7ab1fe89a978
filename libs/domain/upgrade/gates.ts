import { agreement, memberRecorded, membersOnline, noOtherOperation, quorumMargin } from './gates-cluster.js';
import { imagesPresent, podsOnNodes, probesInPods, templateShown } from './gates-pods.js';
import { volumesSettled } from './gates-volumes.js';
import type { Build, ObservedCluster, ProbeKind, Versions } from './observed.js';

export const GATE_NAMES = [
  'no-other-operation',
  'members-online',
  'quorum-margin',
  'agreement',
  'volumes-settled',
  'images-present',
  'template-shown',
  'pods-on-nodes',
  'member-recorded',
  'probes-in-pods',
] as const;
export type GateName = (typeof GATE_NAMES)[number];

/** What a gate says of one observation. `failed` does not become better by waiting: somebody has to do what `remedy` says. */
export type GateOutcome =
  | { readonly is: 'passed'; readonly because: string }
  /** `reason` changes when something else is waited for; what moves meanwhile is in `progress`. */
  | { readonly is: 'waiting'; readonly reason: string; readonly progress?: string }
  | { readonly is: 'failed'; readonly reason: string; readonly remedy: string };

/** What the cluster shall have come to where a gate stands. */
export interface GateAim {
  readonly build: Build;
  readonly versions: Versions;
  readonly probes: readonly ProbeKind[];
  /** Node of each member's pod, where its data is; none of a member whose node takes no pods, so that it moves, as the plan says. */
  readonly nodes: Readonly<Record<string, string>>;
  /** A rebuild whose progress has stood still for so long is stuck. */
  readonly stuckSeconds: number;
}

/** A gate and the members it looks at. */
export interface GateCall {
  readonly gate: GateName;
  readonly members: readonly string[];
}

const GATES: Readonly<Record<GateName, (observed: ObservedCluster, members: readonly string[], aim: GateAim) => GateOutcome>> = {
  'no-other-operation': noOtherOperation,
  'members-online': membersOnline,
  'quorum-margin': quorumMargin,
  agreement,
  'volumes-settled': volumesSettled,
  'images-present': imagesPresent,
  'template-shown': templateShown,
  'pods-on-nodes': podsOnNodes,
  'member-recorded': memberRecorded,
  'probes-in-pods': probesInPods,
};

/** What the gate says of this observation alone: nothing is remembered from the one before. */
export function readGate({ gate, members }: GateCall, observed: ObservedCluster, aim: GateAim): GateOutcome {
  return GATES[gate](observed, members, aim);
}
