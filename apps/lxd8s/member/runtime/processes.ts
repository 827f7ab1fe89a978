import { readdirSync, readFileSync } from 'node:fs';
import type { RunningInstance } from './runtime.js';

/** What liblxc calls the process that stands above an instance: `[lxc monitor] <path> <name>`, the project before the name of others than `default`. */
const MONITOR = /^\[lxc monitor\] \S+ (\S+)/;

/** Instances by their monitors in /proc: whether LXD runs makes no difference. */
export function instancesOfProcesses(proc = '/proc'): RunningInstance[] {
  return readdirSync(proc).flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    const name = MONITOR.exec(read(`${proc}/${pid}/cmdline`).replaceAll('\0', ' '))?.[1];
    const first = name === undefined ? undefined : read(`${proc}/${pid}/task/${pid}/children`).trim().split(' ')[0];
    return name !== undefined && first ? [{ name, pid: Number(first) }] : [];
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process has ended meanwhile.
    return '';
  }
}
