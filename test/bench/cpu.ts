import { readFileSync } from 'node:fs';
import { PROCESS_NAMES, type ProcessName } from '#lab/harness.js';
import type { Stage } from './stage.js';

/** The kernel's USER_HZ, which is 100 wherever Linux runs. */
const TICK_MS = 10;

export type CpuName = Exclude<ProcessName, 'sandbox'> | 'bench';

/** CPU time in milliseconds since some moment, by process; and of the whole machine. */
export interface CpuTimes {
  readonly processes: Readonly<Partial<Record<CpuName, number>>>;
  readonly busyMs: number;
  readonly totalMs: number;
}

/** Of a process with the children it has waited for: LXD unpacks images by other programs. */
export function cpuTimes(stage: Stage): CpuTimes {
  const processes: Partial<Record<CpuName, number>> = { bench: (process.cpuUsage().user + process.cpuUsage().system) / 1000 };
  for (const name of PROCESS_NAMES) if (name !== 'sandbox') processes[name] = cpuMsOf(stage.lab.process(name).pid());
  return { processes, ...machine() };
}

export function between(before: CpuTimes, after: CpuTimes): CpuTimes {
  return combined(before, after, (a, b) => b - a);
}

export function sum(one: CpuTimes | undefined, other: CpuTimes): CpuTimes {
  return one ? combined(one, other, (a, b) => a + b) : other;
}

function combined(one: CpuTimes, other: CpuTimes, combine: (a: number, b: number) => number): CpuTimes {
  const names = Object.keys(other.processes) as CpuName[];
  return {
    processes: Object.fromEntries(names.map((name) => [name, combine(one.processes[name] ?? 0, other.processes[name] ?? 0)])),
    busyMs: combine(one.busyMs, other.busyMs),
    totalMs: combine(one.totalMs, other.totalMs),
  };
}

function cpuMsOf(pid: number | undefined): number {
  if (pid === undefined) throw new Error('a process of the lab is not running');
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name may hold spaces and brackets; utime, stime, cutime and cstime are fields 14 to 17, and the rest begins with field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((total, index) => total + Number(fields[index]), 0) * TICK_MS;
}

function machine(): { busyMs: number; totalMs: number } {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const busy = user + nice + system + irq + softirq + steal;
  return { busyMs: busy * TICK_MS, totalMs: (busy + idle + iowait) * TICK_MS };
}
