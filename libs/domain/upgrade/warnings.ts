import type { ObservedCluster, ObservedMember } from './observed.js';
import { type Draft, leavesNode, nodeOf } from './replacing.js';
import { bytesText, counted, listed } from './wording.js';

/** Something that an approver has to read. */
export interface Warning {
  readonly code:
    | 'quorum-lost-on-purpose'
    | 'no-quorum-margin'
    | 'leader-not-last'
    | 'statefulset-made-anew'
    | 'probes-return-later'
    | 'blocked-already'
    | 'leaves-its-node'
    | 'storage-unwatched';
  readonly text: string;
}

export function warningsOf({
  kind,
  observed,
  quorum,
  irreplaceable,
  ordering,
  replaced,
  recreate,
  withoutProbes,
  secondPass,
}: Draft): Warning[] {
  const waiting = observed.members.filter(({ answers }) => answers === 'waiting').map(({ name }) => name);
  const leaderAt = replaced.findIndex(({ member }) => member === observed.leader);
  const warnings: (Warning | false)[] = [
    waiting.length > 0 && {
      code: 'blocked-already',
      text: `${listed(waiting.sort())} waits for others already: the cluster was left in the middle of an upgrade.`,
    },
    quorum === 'lost-on-purpose' && {
      code: 'quorum-lost-on-purpose',
      text: `Quorum is lost on purpose while ${counted(replaced.length, 'pod')} are replaced together.`,
    },
    irreplaceable.length > 0 &&
      kind !== 'lockstep-parallel' && {
        code: 'no-quorum-margin',
        text: `There are too few voters for a margin: the database is away while ${listed(irreplaceable)} is replaced.`,
      },
    ordering === 'highest-first' &&
      leaderAt >= 0 &&
      leaderAt < replaced.length - 1 && {
        code: 'leader-not-last',
        text: `${observed.leader} leads dqlite and is not last, because OrderedReady demands the order of the pods.`,
      },
    recreate && {
      code: 'statefulset-made-anew',
      text: 'The StatefulSet is made anew around its running pods, as Parallel, and again as OrderedReady at the end.',
    },
    withoutProbes && {
      code: 'probes-return-later',
      text: `Pods run without probes until the second pass replaces ${listed(secondPass)} once more.`,
    },
    ...observed.members
      .filter((member) => leavesNode(observed, member) && replaced.some(({ member: name }) => name === member.name))
      .map((member) => ({ code: 'leaves-its-node' as const, text: leavingText(observed, member) })),
    observed.storage === 'unwatched' && { code: 'storage-unwatched', text: 'No gate looks at the storage of this cluster.' },
  ];
  return warnings.filter((warning) => warning !== false);
}

function leavingText(observed: ObservedCluster, member: ObservedMember): string {
  const { name } = member;
  const where = `${nodeOf(observed, member)} takes no pods: ${name} comes up on another node, if one takes it`;
  const bytes = observed.volumes.filter((volume) => volume.member === name).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return bytes === 0
    ? `${where}.`
    : `${where}. Where it has no copy of its data (${bytesText(bytes)}) one is built, and its I/O is slow until then.`;
}
