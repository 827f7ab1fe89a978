import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process told apart from a later one with the same pid, also across a reboot. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
  readonly bootId: string;
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name may hold spaces and brackets; the rest begins after the last bracket with field 3.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    // Gone is an ordinary answer here.
    return undefined;
  }
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid);
  if (!fields || fields[0] === 'X' || (fields[0] === 'Z' && !hasOtherThreads(pid))) return undefined;
  return { pid, startTicks: Number(fields[19]), bootId: bootId() };
}

/** A killed process of many threads shows as a zombie while the last of them still hold its listeners and files. */
function hasOtherThreads(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    // Ended while we looked.
    return false;
  }
}

/** True when exactly this process still lives; a zombie without threads counts as gone. */
export function isAlive(identity: ProcessIdentity): boolean {
  const now = identityOf(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    // The parent is gone, and so are its children or they have another parent.
    return [];
  }
}

/** All below it, also what threads of them have started. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const each of allPids()) {
    const parent = Number(statFields(each)?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), each]);
  }
  const below = (parent: number): number[] => (children.get(parent) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

export function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  } catch {
    // Ended while we looked.
    return 0;
  }
}

/** False as soon as it is on its way out, which for pid 1 of a sandbox lasts until all inside are gone. */
export function hasNamespaces(pid: number): boolean {
  return namespaceOf(pid, 'net') !== undefined;
}

/** Every process of the pid namespace whose first process is `init`. */
export function processesOfNamespace(init: number): number[] {
  const namespace = namespaceOf(init, 'pid');
  return namespace ? allPids().filter((pid) => namespaceOf(pid, 'pid') === namespace) : [];
}

export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The arguments, the program's name first. */
export function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0$/, '').split('\0');
  } catch {
    // Ended while we looked.
    return [];
  }
}

/** Processes that were started with this setting in their environment, descendants included. */
export function processesWithEnvironment(setting: string): number[] {
  return allPids().filter((pid) => {
    try {
      return `\0${readFileSync(`/proc/${pid}/environ`, 'utf8')}`.includes(`\0${setting}`);
    } catch {
      // Ended while we looked.
      return false;
    }
  });
}

function namespaceOf(pid: number, kind: 'pid' | 'net'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    // Ended while we looked.
    return undefined;
  }
}
