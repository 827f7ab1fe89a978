import type { MemberRow } from '#libs/contracts/upgrades.js';
import type { ObservedCluster, ObservedMember, ObservedVolume } from '#libs/domain/upgrade/observed.js';
import { buildText, secondsText, sortedByName, versionsText } from '#libs/domain/upgrade/wording.js';

/** The members as people look at them, by name. */
export function tableOf(observed: ObservedCluster): MemberRow[] {
  return sortedByName(observed.members, ({ name }) => name).map((member) => rowOf(observed, member));
}

function rowOf({ pods, volumes, storage, leader }: ObservedCluster, member: ObservedMember): MemberRow {
  const pod = pods.find(({ name }) => name === member.pod);
  return {
    member: member.name,
    status: member.message === '' ? member.status : `${member.status}: ${member.message}`,
    answers: member.answers,
    versions: versionsText(member.versions),
    database: member.name === leader ? `${member.database}, leads` : member.database,
    pod: pod ? podText(pod) : 'none',
    node: pod?.node ?? '',
    image: pod ? buildText(pod.build) : '',
    probes: pod?.probes ?? [],
    volumes: storage === 'unwatched' ? 'not watched' : volumesText(volumes.filter((volume) => volume.member === member.name)),
  };
}

function podText({ name, phase, ready, deleting, trouble }: ObservedCluster['pods'][number]): string {
  if (deleting === 'yes') return `${name} (being stopped)`;
  return `${name} (${trouble ? trouble.reason : phase}${ready === 'yes' ? ', ready' : ''})`;
}

function volumesText(volumes: readonly ObservedVolume[]): string {
  if (volumes.length === 0) return 'none to be seen';
  return volumes
    .map(({ name, state, robustness, replicas }) => {
      const building = replicas.flatMap(({ rebuild }) => (rebuild?.state === 'in_progress' ? [rebuild] : []));
      const [first] = building;
      const stands = first && first.unchangedSeconds > 0 ? `, unchanged for ${secondsText(first.unchangedSeconds)}` : '';
      return `${name}: ${state}, ${robustness}${first ? `, a copy is built (${Math.min(100, first.progressPercent)} %${stands})` : ''}`;
    })
    .join('; ');
}
