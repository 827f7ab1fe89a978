import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../exec.js';

const TIMEOUT_MS = 20 * 60_000;
const NAMES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

/** In namespaces of its own, so that no mount and no process outlives the command: a daemon that a package starts ends with it. */
const ENTER = `set -e
root=$1
shift
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
for folder in run tmp dev; do mount -t tmpfs -o mode=1777 tmpfs "$root/$folder"; done
for name in ${NAMES.join(' ')}; do touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
ln -s /proc/self/fd "$root/dev/fd"
if [ -e "$root/etc/resolv.conf" ] && [ ! -L "$root/etc/resolv.conf" ]; then mount --bind /etc/resolv.conf "$root/etc/resolv.conf"; fi
exec chroot "$root" "$@"`;
const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  SHELL: '/bin/sh',
  TERM: 'xterm',
  DEBIAN_FRONTEND: 'noninteractive',
  LC_ALL: 'C.UTF-8',
};
const POLICY = '#!/bin/sh\nexit 101\n';

/** Runs a command in a root file system; its services are installed, and not started. */
export async function runInRoot(root: string, command: readonly string[], input = ''): Promise<void> {
  const policy = join(root, 'usr/sbin/policy-rc.d');
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, POLICY, { mode: 0o755 });
  try {
    const namespaces = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--ipc', '--uts'];
    await run('unshare', [...namespaces, 'sh', '-c', ENTER, 'sh', root, ...command], { env: ENVIRONMENT, timeoutMs: TIMEOUT_MS, input });
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}
