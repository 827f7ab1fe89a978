import { type GateAim, type GateCall, readGate } from './gates.js';
import { quorumMargin } from './gates-cluster.js';
import type { ObservedCluster } from './observed.js';

export interface WantedDeletion {
  readonly members: readonly string[];
  readonly quorum: 'kept' | 'lost-on-purpose' | 'no-margin';
  /** What else has to hold. */
  readonly still?: readonly { readonly call: GateCall; readonly aim: GateAim }[];
}

/** Why the pods of these members are not to be deleted as things are; undefined: they may be. */
export function whyNotDeleted(observed: ObservedCluster, { members, quorum, still = [] }: WantedDeletion): string | undefined {
  const margin = quorum === 'kept' ? [quorumMargin(observed, members)] : [];
  return [...margin, ...still.map(({ call, aim }) => readGate(call, observed, aim))].flatMap((outcome) =>
    outcome.is === 'passed' ? [] : [outcome.reason],
  )[0];
}
