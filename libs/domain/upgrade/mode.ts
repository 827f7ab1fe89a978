import type { DesiredUpgrade } from './desired.js';
import type { ObservedCluster, ObservedMember } from './observed.js';
import { quorumOf, quorumText } from './quorum.js';
import { compareVersions } from './versions.js';
import { listed, sortedByName, versionsText } from './wording.js';

/** Why there is no plan, and what would make one. */
export interface Refusal {
  readonly code:
    | 'no-members'
    | 'quorum-lost'
    | 'missing-architecture'
    | 'schema-downgrade'
    | 'extensions-downgrade'
    | 'inconsistent-versions'
    | 'mixed-versions'
    | 'node-takes-no-pods';
  readonly reason: string;
  readonly remedy: string;
}

export type Mode =
  | { readonly is: 'rolling' | 'lockstep'; readonly why: string }
  | { readonly is: 'refused'; readonly refusals: readonly Refusal[] };

/**
 * Rolling when the versions of the cluster are those of the target, so that a restarted member can serve beside the others. Lockstep when
 * they differ: LXD lets a member that is ahead wait for all others, so waiting for it to be ready before the next would never end.
 */
export function chooseMode(observed: ObservedCluster, { target }: DesiredUpgrade): Mode {
  const members = sortedByName(observed.members, ({ name }) => name);
  const refusals = [...noQuorum(observed), ...noArchitecture(members, target.architectures), ...boundToCordoned(observed)];
  const ahead = members.filter(({ versions }) => compareVersions(versions, target.versions) === 'ahead');
  const behind = members.filter(({ versions }) => compareVersions(versions, target.versions) === 'behind');
  const inconsistent = members.filter(({ versions }) => compareVersions(versions, target.versions) === 'inconsistent');
  if (inconsistent.length > 0) {
    refusals.push({
      code: 'inconsistent-versions',
      reason: `${named(inconsistent)}; the image has ${versionsText(target.versions)}: one number goes up and the other down, and LXD then refuses to start.`,
      remedy: 'Take an image that goes up, or stays, in both.',
    });
  }
  const down = downwards({ members, ahead, behind }, target);
  if (down.is === 'refused') refusals.push(...down.refusals);
  if (refusals.length > 0) return { is: 'refused', refusals };
  if (down.is !== 'not-downwards') return down;
  return behind.length === 0
    ? {
        is: 'rolling',
        why: `The cluster and the image both have ${versionsText(target.versions)}: a replaced member serves at once beside the others.`,
      }
    : {
        is: 'lockstep',
        why: `The image has ${versionsText(target.versions)}; behind it: ${named(behind)}. LXD lets a member that is ahead wait for all others, so none is ready before the last one is replaced.`,
      };
}

interface Sides {
  readonly members: readonly ObservedMember[];
  readonly ahead: readonly ObservedMember[];
  readonly behind: readonly ObservedMember[];
}

function downwards({ members, ahead, behind }: Sides, target: DesiredUpgrade['target']): Mode | { readonly is: 'not-downwards' } {
  const first = ahead[0];
  if (!first) return { is: 'not-downwards' };
  const schemaApplied = ahead.length === members.length && ahead.some(({ versions }) => versions.schema > target.versions.schema);
  if (schemaApplied) {
    return refused(
      'schema-downgrade',
      `The database is at schema ${first.versions.schema}, the image at ${target.versions.schema}: a schema never goes back.`,
      {
        remedy: 'Take an image of at least this schema, or restore the copies of the database from before the upgrade.',
      },
    );
  }
  if (members.length > 1 && target.alignment === 'both') {
    return {
      is: 'lockstep',
      why: `${named(ahead)}, ahead of the image (${versionsText(target.versions)}), whose LXD also aligns downwards.`,
    };
  }
  if (ahead.length === 1 && behind.length === 0) {
    return {
      is: 'rolling',
      why: `Only ${named(ahead)} is ahead of the image (${versionsText(target.versions)}); it writes its row anew when it starts, and then all agree.`,
    };
  }
  if (ahead.length === members.length) {
    return refused(
      'extensions-downgrade',
      `The image has fewer API extensions (${target.versions.apiExtensions}): ${named(ahead)}. Its LXD exits beside members that are ahead.`,
      {
        remedy: 'Take an image with at least as many.',
      },
    );
  }
  return refused(
    'mixed-versions',
    `${named(ahead)}: ahead of the image (${versionsText(target.versions)}), whose LXD exits beside them and leaves its row as it was, so they block each other.`,
    {
      remedy: 'Go forward: take an image that is ahead of no member, i.e. of at least the highest versions recorded.',
    },
  );
}

function refused(code: Refusal['code'], reason: string, { remedy }: { readonly remedy: string }): Mode {
  return { is: 'refused', refusals: [{ code, reason, remedy }] };
}

function noQuorum({ members, statefulSet, pods }: ObservedCluster): Refusal[] {
  if (members.length === 0) {
    return [{ code: 'no-members', reason: 'LXD names no member.', remedy: 'See that this is a cluster and its API answers.' }];
  }
  const quorum = quorumOf(members);
  if (quorum.online >= quorum.majority) return [];
  const ordered = statefulSet.podManagementPolicy === 'OrderedReady' && pods.length < statefulSet.replicas;
  const remedy = ordered
    ? `Kubernetes makes the missing pods only after the first is ready, which it cannot be alone: delete StatefulSet ${statefulSet.name} with --cascade=orphan and make it again with podManagementPolicy Parallel.`
    : 'Start the missing members again; if they are gone for good: lxd cluster recover-from-quorum-loss.';
  return [{ code: 'quorum-lost', reason: `Quorum is lost: ${quorumText(quorum)}.`, remedy }];
}

function noArchitecture(members: readonly ObservedMember[], architectures: readonly string[]): Refusal[] {
  const without = members.filter(({ architecture }) => !architectures.includes(architecture));
  if (without.length === 0) return [];
  return [
    {
      code: 'missing-architecture',
      reason: `The image is there for ${listed([...architectures].sort())}, not for ${listed(without.map(({ name, architecture }) => `${name} (${architecture})`))}.`,
      remedy: 'Publish it for these architectures too.',
    },
  ];
}

/** A volume that is strictly local is attached nowhere else: its pod would wait for ever. */
function boundToCordoned({ volumes, cordoned }: ObservedCluster): Refusal[] {
  return sortedByName(volumes, ({ name }) => name).flatMap(({ name, member, dataLocality, engine }): Refusal[] => {
    if (dataLocality !== 'strict-local' || engine === undefined || !cordoned.includes(engine.node)) return [];
    const reason = `Volume ${name} of ${member} can be used on ${engine.node} only (strict-local), and that node takes no pods.`;
    return [{ code: 'node-takes-no-pods', reason, remedy: `Uncordon ${engine.node}.` }];
  });
}

function named(members: readonly ObservedMember[]): string {
  return listed(members.map(({ name, versions }) => `${name} (${versionsText(versions)})`));
}
