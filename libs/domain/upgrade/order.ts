import type { DesiredUpgrade } from './desired.js';
import type { ObservedCluster, ObservedMember, ObservedPod } from './observed.js';
import { compareVersions } from './versions.js';
import { byName, counted, listed, sameBuild, versionsText } from './wording.js';

export interface PlannedMember {
  readonly member: string;
  readonly pod: string;
  readonly node?: string;
  /** Why it is replaced, or why it stays. */
  readonly why: string;
  /** Why at this place. */
  readonly place: string;
}

/** How replacing is ordered; `highest-first` is what OrderedReady demands of pods that do not get ready. */
export type Ordering = 'leader-last' | 'highest-first';

/** Why the member has to be replaced; undefined when it already is what is wanted. */
export function whyReplace(
  { versions }: ObservedMember,
  pod: ObservedPod | undefined,
  { build, target, probeKinds, probes }: DesiredUpgrade,
): string | undefined {
  if (!pod) return 'has no pod; the next one has the new template';
  if (!sameBuild(pod.build, build)) return 'runs another build';
  if (compareVersions(versions, target.versions) !== 'equal') return `has recorded ${versionsText(versions)}`;
  const missing = probeKinds.filter((kind) => !pod.probes.includes(kind));
  return missing.length > 0 && probes === 'lease' ? `runs without its ${listed(missing)} probe` : undefined;
}

export function podOf({ pods }: ObservedCluster, { pod }: ObservedMember): ObservedPod | undefined {
  return pods.find(({ name }) => name === pod);
}

/** The members in the order in which they are replaced. Depends on nothing but their names, states and numbers of instances. */
export function ordered(
  members: readonly ObservedMember[],
  {
    leader,
    ordering,
    kept,
  }: { readonly leader: string | undefined; readonly ordering: Ordering; readonly kept: readonly string[] | undefined },
): ObservedMember[] {
  if (ordering === 'highest-first') return [...members].sort((a, b) => byName(b.pod, a.pod));
  const keptPlace = ({ name }: ObservedMember) => (kept?.includes(name) ? kept.indexOf(name) : Number.MAX_SAFE_INTEGER);
  const keys: ((member: ObservedMember) => number)[] = [
    ({ name }) => Number(name === leader),
    ({ status }) => Number(status !== 'Evacuated'),
    keptPlace,
    ({ instancesRunning }) => instancesRunning,
  ];
  return [...members].sort((a, b) => keys.map((key) => key(a) - key(b)).find((difference) => difference !== 0) ?? byName(a.name, b.name));
}

export function placeText(
  member: ObservedMember,
  { leader, ordering }: { readonly leader: string | undefined; readonly ordering: Ordering },
): string {
  if (ordering === 'highest-first') return 'highest ordinal first: under OrderedReady a pod is made only when all before it are ready';
  if (member.name === leader) return 'leads dqlite, so last: one election, not several';
  if (member.status === 'Evacuated') return 'evacuated, so first: nobody notices';
  return `${counted(member.instancesRunning, 'running instance')}`;
}
