import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Memory of this pod, in bytes. */
export interface Memory {
  /** What the pod may use: its limit, or the machine's where that is less or there is none. */
  readonly limitBytes: number;
  /** What is left of it; what the kernel can take back at once counts as left. */
  readonly freeBytes: number;
}

/** The files of a control group that tell its memory, in the versions 1 and 2. */
const VERSIONS = [
  { folder: 'memory', limit: 'memory.limit_in_bytes', usage: 'memory.usage_in_bytes', reclaimable: 'total_inactive_file' },
  { folder: '', limit: 'memory.max', usage: 'memory.current', reclaimable: 'inactive_file' },
] as const;

export interface MemoryFiles {
  readonly cgroup: string;
  readonly meminfo: string;
}

const HERE: MemoryFiles = { cgroup: '/sys/fs/cgroup', meminfo: '/proc/meminfo' };

/** Reads it. The control group is this container's own: its root is what it sees there. Throws when /proc/meminfo cannot be read. */
export function measure({ cgroup, meminfo }: MemoryFiles = HERE): Memory {
  const machine = parseMeminfo(readFileSync(meminfo, 'utf8'));
  const group = ofGroup(cgroup);
  if (!group || group.limitBytes >= machine.limitBytes) return machine;
  return { limitBytes: group.limitBytes, freeBytes: Math.min(group.freeBytes, machine.freeBytes) };
}

/** What the pod may use at most; undefined where it has no limit, or one above what the machine has. */
export function podLimits({ cgroup, meminfo }: MemoryFiles = HERE): { readonly memoryBytes?: number; readonly cpus?: number } {
  const group = ofGroup(cgroup);
  const memory =
    group && group.limitBytes < parseMeminfo(readFileSync(meminfo, 'utf8')).limitBytes ? { memoryBytes: group.limitBytes } : {};
  const [quota, period] = (
    read(join(cgroup, 'cpu.max')) ?? `${read(join(cgroup, 'cpu', 'cpu.cfs_quota_us'))} ${read(join(cgroup, 'cpu', 'cpu.cfs_period_us'))}`
  )
    .split(' ')
    .map(Number) as [number, number];
  // Version 1 writes -1 for none, version 2 `max`.
  return quota > 0 && period > 0 ? { ...memory, cpus: quota / period } : memory;
}

/** Of a whole machine, by its /proc/meminfo. */
export function parseMeminfo(text: string): Memory {
  const bytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { limitBytes: bytes('MemTotal'), freeBytes: bytes('MemAvailable') };
}

/** Undefined where there is no limit. */
function ofGroup(cgroup: string): Memory | undefined {
  for (const { folder, limit, usage, reclaimable } of VERSIONS) {
    const at = (name: string) => read(join(cgroup, folder, name));
    const [limitText, usageText] = [at(limit), at(usage)];
    if (limitText === undefined || usageText === undefined) continue;
    // Version 2 writes `max` for none.
    const limitBytes = Number(limitText);
    if (Number.isNaN(limitBytes)) return undefined;
    const takenBack = Number(new RegExp(`^${reclaimable} (\\d+)$`, 'm').exec(at('memory.stat') ?? '')?.[1] ?? 0);
    return { limitBytes, freeBytes: Math.max(limitBytes - Math.max(Number(usageText) - takenBack, 0), 0) };
  }
  return undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // Not of this version, or a root that tells nothing of itself.
    return undefined;
  }
}
