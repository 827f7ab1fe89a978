import type { GateName } from './gates.js';
import type { Build, ProbeKind, TargetImage } from './observed.js';

/** How long things take on this cluster, measured or configured. They are part of the plan, so whoever plans gives the same ones again. */
export interface Timings {
  /** From the deletion of a pod until it is gone. */
  readonly stopSeconds: number;
  /** Until its successor's container runs. */
  readonly createSeconds: number;
  /** Until LXD in it has recorded its versions, or serves when nothing has to be waited for. */
  readonly startSeconds: number;
  /** From the last member's record until all serve. */
  readonly alignSeconds: number;
  /** From a serving member until its instances run again. */
  readonly instancesSeconds: number;
  /** A new dqlite leader. */
  readonly electionSeconds: number;
  /** To move the instances of one member away, or back. */
  readonly evacuateSeconds: number;
  /** From one member's record to the deletion of the next one's pod: the gates between them. None when absent. */
  readonly betweenSeconds?: number;
  /** What a restart of all members at once takes longer than one member's: a majority has to form anew, and members on one machine share it. None when absent. */
  readonly togetherSeconds?: number;
}

export interface DesiredUpgrade {
  readonly build: Build;
  readonly target: TargetImage;
  /** `lease`: members' probes are lenient while a Lease holds. `template`: they are taken out of the pod template and put back. */
  readonly probes: 'lease' | 'template';
  /** The probes that every pod has in the end. */
  readonly probeKinds: readonly ProbeKind[];
  readonly way: 'statefulset' | 'gitops';
  /** In a rolling upgrade: whether a member's instances stop with it or are moved away and back. */
  readonly instances: 'stop' | 'evacuate';
  readonly timings: Timings;
  readonly deadlinesSeconds: Partial<Readonly<Record<GateName, number>>>;
  /** How long volumes have to stay settled. */
  readonly settleSeconds: number;
  readonly stuckSeconds: number;
  /** The order of an approved plan: kept as far as it can be, so that a few instances more or less on a member make no other plan. */
  readonly order?: readonly string[];
}

/** Deadlines where the desired upgrade names none. */
export const DEADLINES_SECONDS: Readonly<Record<GateName, number>> = {
  'no-other-operation': 900,
  'members-online': 600,
  'quorum-margin': 600,
  agreement: 600,
  'volumes-settled': 14_400,
  'images-present': 1800,
  'template-shown': 600,
  'pods-on-nodes': 600,
  'member-recorded': 600,
  'probes-in-pods': 600,
};

/** As {@link DEADLINES_SECONDS}, for a template that people review and merge first. */
export const MERGE_SECONDS = 604_800;
