import { type GateAim, type GateCall, readGate } from './gates.js';
import type { ObservedCluster } from './observed.js';
import { quorumOf, quorumText } from './quorum.js';
import { listed } from './wording.js';

export interface WantedDeletion {
  readonly members: readonly string[];
  readonly quorum: 'kept' | 'lost-on-purpose' | 'no-margin';
  /** What else has to hold. */
  readonly still?: readonly { readonly call: GateCall; readonly aim: GateAim }[];
}

/** Why the pods of these members are not to be deleted as things are; undefined: they may be. */
export function whyNotDeleted(observed: ObservedCluster, { members, quorum, still = [] }: WantedDeletion): string | undefined {
  const left = quorumOf(observed.members, members);
  const counts = observed.members.some(({ name, database }) => members.includes(name) && database === 'voter');
  if (quorum === 'kept' && counts && left.online < left.majority) {
    return `Without ${listed(members)} quorum would be lost (${quorumText(left)}).`;
  }
  return still.flatMap(({ call, aim }) => {
    const outcome = readGate(call, observed, aim);
    return outcome.is === 'passed' ? [] : [outcome.reason];
  })[0];
}
