import type { Mount } from '../volumes/mounts.js';

export const CGROUP_ROOT = '/sys/fs/cgroup';

/** A command to run, program first. */
export type Command = readonly string[];

/**
 * What to mount so that `/proc/self/cgroup` and `/sys/fs/cgroup` say the same, which liblxc relies on. In a container of version 1 the mounts
 * are those of the container's own directory while the paths are long; in a cgroup namespace of its own fresh mounts agree. Empty when they do.
 */
export function cgroupMounts(procCgroup: string, mounts: readonly Mount[]): Command[] {
  const there = mounts.filter(({ at, type }) => type.startsWith('cgroup') && (at === CGROUP_ROOT || at.startsWith(`${CGROUP_ROOT}/`)));
  if (there.length > 0 && there.every(({ root }) => root === '/')) return [];
  const lines = procCgroup.split('\n').filter(Boolean);
  const hierarchies = lines.map((line) => line.split(':')[1] ?? '');
  const fresh: Command[] =
    hierarchies.length === 1 && hierarchies[0] === '' ? [['mount', '-t', 'cgroup2', 'cgroup2', CGROUP_ROOT]] : version1(hierarchies);
  return [['umount', '-R', CGROUP_ROOT], ...fresh];
}

function version1(hierarchies: readonly string[]): Command[] {
  return [
    ['mount', '-t', 'tmpfs', '-o', 'mode=755', 'cgroup', CGROUP_ROOT],
    ...hierarchies.flatMap((controllers) => {
      const named = controllers.startsWith('name=');
      const at = `${CGROUP_ROOT}/${controllers === '' ? 'unified' : controllers.replace(/^name=/, '')}`;
      const which =
        controllers === '' ? ['-t', 'cgroup2', 'cgroup2'] : ['-t', 'cgroup', '-o', named ? `none,${controllers}` : controllers, 'cgroup'];
      return [
        ['mkdir', '-p', at],
        ['mount', ...which, at],
      ];
    }),
  ];
}
