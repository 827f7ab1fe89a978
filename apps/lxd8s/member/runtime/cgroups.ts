import type { Mount } from '../volumes/mounts.js';

export const CGROUP_ROOT = '/sys/fs/cgroup';
const ROOT = CGROUP_ROOT;

/** A command to run, program first. */
export type Command = readonly string[];

/**
 * What to mount so that `/proc/self/cgroup` and `/sys/fs/cgroup` say the same, which liblxc relies on. In a container of version 1 the mounts
 * are those of the container's own directory while the paths are long; in a cgroup namespace of its own fresh mounts agree. Empty when they do.
 */
export function cgroupMounts(procCgroup: string, mounts: readonly Mount[]): Command[] {
  const there = mounts.filter(({ at, type }) => type.startsWith('cgroup') && (at === ROOT || at.startsWith(`${ROOT}/`)));
  if (there.length > 0 && there.every(({ root }) => root === '/')) return [];
  const lines = procCgroup.split('\n').filter(Boolean);
  const hierarchies = lines.map((line) => line.split(':')[1] ?? '');
  const fresh: Command[] =
    hierarchies.length === 1 && hierarchies[0] === '' ? [['mount', '-t', 'cgroup2', 'cgroup2', ROOT]] : version1(hierarchies);
  return [['umount', '-R', ROOT], ...fresh];
}

function version1(hierarchies: readonly string[]): Command[] {
  return [
    ['mount', '-t', 'tmpfs', '-o', 'mode=755', 'cgroup', ROOT],
    ...hierarchies.flatMap((controllers) => {
      const at = `${ROOT}/${controllers === '' ? 'unified' : controllers.replace(/^name=/, '')}`;
      const mount =
        controllers === ''
          ? ['mount', '-t', 'cgroup2', 'cgroup2', at]
          : ['mount', '-t', 'cgroup', '-o', `none,${controllers}`, 'cgroup', at];
      return [['mkdir', '-p', at], mount];
    }),
  ];
}
