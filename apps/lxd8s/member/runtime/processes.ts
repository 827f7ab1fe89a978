import { readdirSync, readFileSync } from 'node:fs';
import type { RunningInstance } from './runtime.js';

/** What liblxc calls the process that stands above an instance: `[lxc monitor] <path> <name>`, the project before the name of others than `default`. */
const MONITOR = /^\[lxc monitor\] \S+ (\S+)/;

/** Instances by their monitors in /proc: whether LXD runs makes no difference. */
export function instancesOfProcesses(proc = '/proc'): RunningInstance[] {
  return readdirSync(proc).flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    const commandLine = read(`${proc}/${pid}/cmdline`);
    return commandLine.startsWith('[lxc monitor]') ? instanceOf(commandLine, read(`${proc}/${pid}/task/${pid}/children`)) : [];
  });
}

/** The instance of a process by its command line, where that is a monitor's, and its children; none while it has no child. */
export function instanceOf(commandLine: string, children: string): RunningInstance[] {
  const name = MONITOR.exec(commandLine.replaceAll('\0', ' '))?.[1];
  const first = children.trim().split(' ')[0];
  return name !== undefined && first ? [{ name, pid: Number(first) }] : [];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process has ended meanwhile.
    return '';
  }
}
