import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { mountsHere } from '../volumes/mounts.js';
import { CGROUP_ROOT, type Command, cgroupMounts } from './cgroups.js';

const run = promisify(execFile);
const TIMEOUT_MS = 10_000;

/**
 * Makes the control groups of this container ones that LXD can use. @throws PlatformError INVALID_INPUT when the pod lacks what that takes: a
 * privileged container, and mount and control group namespaces of its own.
 */
export async function prepareCgroups(): Promise<void> {
  try {
    const commands = [...writableSys(), ...cgroupMounts(readFileSync('/proc/self/cgroup', 'utf8'), await mountsHere())];
    for (const [program = '', ...args] of commands) await run(program, args, { timeout: TIMEOUT_MS });
    if (commands.some((command) => command.includes('cgroup2') && command.at(-1) === CGROUP_ROOT)) delegate(CGROUP_ROOT);
  } catch (cause) {
    throw new PlatformError(
      'INVALID_INPUT',
      `The control groups of this container cannot be made ready for LXD: ${messageOf(cause)}. Is it privileged, and started by unshare --cgroup --mount?`,
      { cause },
    );
  }
}

/** LXD sets up its bridges by /sys, which container runtimes may mount read-only even for privileged containers (containerd 1.6, tried). */
function writableSys(): Command[] {
  try {
    accessSync('/sys', constants.W_OK);
    return [];
  } catch {
    // Not writable: that is the question.
    return [['mount', '-o', 'remount,rw', '/sys']];
  }
}

/** Gives groups below that at `root`, of version 2, its controllers: only one without processes can. liblxc leaves `init.scope` out of its own base. */
export function delegate(root: string): void {
  const leaf = join(root, 'init.scope');
  mkdirSync(leaf, { recursive: true });
  for (const pid of readFileSync(join(root, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
    writeFileSync(join(leaf, 'cgroup.procs'), pid);
  }
  const controllers = readFileSync(join(root, 'cgroup.controllers'), 'utf8').trim().split(' ').filter(Boolean);
  writeFileSync(join(root, 'cgroup.subtree_control'), controllers.map((name) => `+${name}`).join(' '));
  // kubelet sets it from 1.28 on: at the pod's limit the kernel would end LXD and all containers together. /sys/kernel/cgroup/delegate names it.
  const together = join(root, 'memory.oom.group');
  if (existsSync(together)) writeFileSync(together, '0');
}
