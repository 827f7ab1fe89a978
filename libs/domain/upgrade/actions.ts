import type { GateName } from './gates.js';
import type { Build, ObservedStatefulSet, ProbeKind, UpdateStrategy } from './observed.js';
import { buildText, listed, secondsText } from './wording.js';

/** Which of a plan's aims a gate is read against. */
export type AimName = 'before' | 'target' | 'target-without-probes';

/** What is done, each so that doing it again changes nothing more. */
export type UpgradeAction =
  | {
      readonly do: 'wait-for-gate';
      readonly gate: GateName;
      readonly members: readonly string[];
      readonly aim: AimName;
      readonly deadlineSeconds: number;
      /** It has to pass for so long without a break. */
      readonly settleSeconds: number;
    }
  /** dqlite copies and manifests, kept outside the members: LXD makes no copy of its own in a cluster. */
  | { readonly do: 'save-copies'; readonly members: readonly string[] }
  | { readonly do: 'take-probe-lease'; readonly lease: string }
  | { readonly do: 'release-probe-lease'; readonly lease: string }
  /** Sets OnDelete with it, in one write: no pod is replaced by it. */
  | { readonly do: 'patch-template'; readonly build: Build; readonly probes: readonly ProbeKind[]; readonly way: 'statefulset' | 'gitops' }
  /** Deleted with its pods orphaned and made again: podManagementPolicy cannot be changed. */
  | { readonly do: 'recreate-statefulset'; readonly podManagementPolicy: ObservedStatefulSet['podManagementPolicy'] }
  | { readonly do: 'set-update-strategy'; readonly updateStrategy: UpdateStrategy }
  | { readonly do: 'evacuate-member' | 'restore-member'; readonly member: string }
  /** All at once, each unless it already has the template's revision. */
  | { readonly do: 'delete-pods'; readonly pods: readonly string[]; readonly members: readonly string[] };

export interface PlannedStep {
  /** Stable within the plan: `07-delete-pods`. */
  readonly id: string;
  readonly action: UpgradeAction;
  /** The action as a sentence without its end. */
  readonly text: string;
  readonly reason: string;
  /** Whether the upgrade may stand still before this step. */
  readonly pause: 'allowed' | 'not-here';
}

/** The action as a sentence without its end. */
export function actionText(action: UpgradeAction): string {
  switch (action.do) {
    case 'wait-for-gate':
      return waitText(action);
    case 'save-copies':
      return `save the manifests and the database of ${listed(action.members)} outside the members`;
    case 'take-probe-lease':
      return `take Lease ${action.lease}`;
    case 'release-probe-lease':
      return `release Lease ${action.lease}`;
    case 'patch-template': {
      const probes = action.probes.length === 0 ? 'without probes' : `with ${listed([...action.probes].sort())} probe`;
      return `set the template to ${buildText(action.build)}, ${probes}, OnDelete${action.way === 'gitops' ? ', by a pull request' : ''}`;
    }
    case 'recreate-statefulset':
      return `make the StatefulSet anew around its pods, with podManagementPolicy ${action.podManagementPolicy}`;
    case 'set-update-strategy':
      return `set the update strategy to ${action.updateStrategy.type}`;
    case 'evacuate-member':
      return `evacuate ${action.member}`;
    case 'restore-member':
      return `restore ${action.member}`;
    case 'delete-pods':
      return `delete ${action.pods.length === 1 ? 'pod' : 'pods'} ${listed(action.pods)}${action.pods.length === 1 ? '' : ' together'}`;
  }
}

/** A wait of an upgrade or a scaling, as {@link actionText}. */
export function waitText(wait: {
  readonly gate: string;
  readonly members: readonly string[];
  readonly settleSeconds: number;
  readonly deadlineSeconds: number;
}): string {
  const settle = wait.settleSeconds > 0 ? `, for ${secondsText(wait.settleSeconds)} without a break` : '';
  const members = wait.members.length === 0 ? '' : ` (${listed(wait.members)})`;
  return `wait for ${wait.gate}${members}${settle}, at most ${secondsText(wait.deadlineSeconds)}`;
}
