import { failed, passed, podTrouble, waiting, worstOf } from './gate-outcomes.js';
import type { GateAim, GateOutcome } from './gates.js';
import type { ObservedCluster, ObservedMember, ObservedPod } from './observed.js';
import { quorumOf, quorumText } from './quorum.js';
import { compareVersions } from './versions.js';
import { byName, counted, listed, sameBuild, versionsText } from './wording.js';

/** What works on the cluster besides this upgrade is let finish; another upgrade or scaling never is. */
export function noOtherOperation({ operations }: ObservedCluster): GateOutcome {
  const other = [...operations].sort((a, b) => byName(a.id, b.id));
  const upgrade = other.find(({ kind }) => kind === 'upgrade');
  if (upgrade) {
    return failed(
      `${upgrade.id} works on this cluster (${upgrade.description}).`,
      `Let it end or abort it: one upgrade or scaling of a cluster at a time.`,
    );
  }
  if (other.length === 0) return passed('Nothing else works on this cluster.');
  const names = other.map(({ id, description }) => `${description} (${id})`);
  return waiting(`${counted(other.length, 'operation')} of others not finished: ${listed(names)}.`);
}

/** Every member is known to LXD, alive and serving. An evacuated one counts: somebody wanted it so. */
export function membersOnline(observed: ObservedCluster, names: readonly string[]): GateOutcome {
  const states = names.map((name) => memberOnline(observed, name));
  return worstOf(states) ?? passed(`${counted(names.length, 'member')} online and serving: ${listed(names)}.`);
}

function memberOnline(observed: ObservedCluster, name: string): GateOutcome {
  const member = observed.members.find((one) => one.name === name);
  if (!member) return failed(`${name} is no member of the cluster.`, 'See who removed it; make a new plan for the members there are.');
  const trouble = troubleOf(observed, member);
  if (trouble) return trouble;
  if (member.answers === 'waiting' || member.status === 'Blocked') {
    return waiting(`${name} waits for members of other versions; itself: ${versionsText(member.versions)}.`);
  }
  if (member.status === 'Offline') return waiting(`${name} is Offline.`, member.message);
  if (member.answers === 'silent') return waiting(`${name} does not answer.`);
  return passed(`${name} is ${member.status}.`);
}

/** Without the members named, a majority of dqlite's voters is still online; with fewer than three voters there never is a margin. */
export function quorumMargin(observed: ObservedCluster, names: readonly string[]): GateOutcome {
  const now = quorumOf(observed.members);
  if (now.online < now.majority) {
    const unheard = observed.members.filter((member) => isUnheard(member)).map(({ name }) => name);
    if (now.online + unheard.length >= now.majority) {
      return waiting(
        `Quorum cannot be seen: ${quorumText(now)}; ${listed(unheard)} answers, and LXD has had no heartbeat of it for a while.`,
      );
    }
    // One look may have missed members, as while kubelet starts again: whether it lasts is for the deadline to say.
    return waiting(
      `Quorum is lost: ${quorumText(now)}. Start the missing members again; if they are gone for good: lxd cluster recover-from-quorum-loss.`,
    );
  }
  const taken = observed.members.filter(({ name }) => names.includes(name));
  const left = quorumOf(observed.members, names);
  if (taken.every(({ database }) => database !== 'voter') || left.online >= now.majority) {
    return passed(names.length === 0 ? `Quorum: ${quorumText(now)}.` : `Without ${listed(names)}: ${quorumText(left)}.`);
  }
  if (now.voters < 3 && now.online === now.voters) {
    return passed(`There is no margin with ${counted(now.voters, 'voter')}: the database is away while ${listed(names)} is replaced.`);
  }
  return waiting(`Without ${listed(names)} quorum would be lost: ${quorumText(left)}.`);
}

/** A busy leader, or one that waits for others, is late with heartbeats; the next ones put it right. */
function isUnheard({ database, status, answers }: ObservedMember): boolean {
  return database === 'voter' && status === 'Offline' && answers !== 'silent';
}

/** Each of the members has recorded exactly the versions aimed at. */
export function agreement(observed: ObservedCluster, names: readonly string[], { versions }: GateAim): GateOutcome {
  const members = observed.members.filter(({ name }) => names.includes(name)).sort((a, b) => byName(a.name, b.name));
  const others = members.filter((member) => compareVersions(member.versions, versions) !== 'equal');
  const trouble = worstOf(members.flatMap((member) => troubleOf(observed, member) ?? []));
  if (others.length === 0 && !trouble) return passed(`${counted(members.length, 'member')} agree on ${versionsText(versions)}.`);
  if (trouble) return trouble;
  const beyond = others.find((member) => compareVersions(member.versions, versions) !== 'behind');
  if (beyond) {
    return failed(
      `${beyond.name} has recorded ${versionsText(beyond.versions)}, which does not come to ${versionsText(versions)} by waiting.`,
      `See which image runs in ${beyond.pod}: somebody else has changed it; make a new plan.`,
    );
  }
  const missing = others.map((member) => `${member.name} (${versionsText(member.versions)})`);
  return waiting(
    `Waits until all have recorded ${versionsText(versions)}; not yet: ${listed(missing)}.`,
    `${members.length - others.length} of ${members.length}`,
  );
}

/** The member's new daemon has started so far that its row holds the versions aimed at; in lockstep it then waits for the others. */
export function memberRecorded(observed: ObservedCluster, names: readonly string[], aim: GateAim): GateOutcome {
  const states = names.map((name): GateOutcome => {
    const member = observed.members.find((one) => one.name === name);
    const pod = observed.pods.find((one) => one.name === member?.pod);
    if (!member) return failed(`${name} is no member of the cluster.`, 'See who removed it; make a new plan for the members there are.');
    const starts = podStarts(name, pod, aim);
    if (starts) return starts;
    if (compareVersions(member.versions, aim.versions) !== 'equal') {
      return waiting(`${name} runs and has not recorded ${versionsText(aim.versions)} yet.`);
    }
    if (member.answers === 'silent') return withoutVote(name);
    return passed(`${name} has recorded.`);
  });
  return worstOf(states) ?? passed(`${listed(names)} recorded ${versionsText(aim.versions)}.`);
}

/** What the pod of a member alone says of its new daemon; undefined when it runs and the rest is for LXD to say. */
export function podStarts(member: string, pod: ObservedPod | undefined, { build }: Pick<GateAim, 'build'>): GateOutcome | undefined {
  if (!pod || pod.deleting === 'yes' || !sameBuild(pod.build, build)) return waiting(`The pod of ${member} is not replaced yet.`);
  const trouble = podTrouble(pod);
  if (trouble) return trouble;
  return pod.phase === 'Running' ? undefined : waiting(`Pod ${pod.name} is ${pod.phase}.`, pod.trouble?.message);
}

/** Of a member whose pod runs. */
export function withoutVote(member: string): GateOutcome {
  return waiting(`${member} runs; it, or its database, does not answer yet.`);
}

function troubleOf({ pods }: ObservedCluster, { pod }: ObservedMember): GateOutcome | undefined {
  const found = pods.find(({ name }) => name === pod);
  return found && podTrouble(found);
}
