import { PlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { LxdInstance } from '#libs/lxd/types.js';
import type { Call } from '../shared/guard.js';
import { findFile } from './edit-file.js';
import type { Instances } from './instances.js';
import { runInside } from './run-inside.js';

const ADDRESS_TIMEOUT_MS = 60_000;
const ADDRESS_POLL_MS = 250;
const INSTALL_TIMEOUT_MS = 5 * 60_000;
const STOP_SECONDS = 20;
const SERVERS = ['sshd', 'dropbear'];
/** /usr/sbin is a link to /usr/bin where the two are one. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/bin'];

/** A name server or mirror may not answer in the first seconds of a network. */
const PREAMBLE = `set -e
again() { "$@" || { sleep 2; "$@"; } || { sleep 5; "$@"; }; }
`;
const APT = `export DEBIAN_FRONTEND=noninteractive
/usr/bin/dpkg --configure -a
again apt-get -q update
again apt-get -q -y install --no-install-recommends openssh-server`;
const DNF = `again dnf -y install openssh-server
systemctl enable sshd`;

/** By the image's property \`os\`, in lower case. */
const INSTALLERS: ReadonlyMap<string, string> = new Map([
  ['alpine', 'again apk add dropbear\nrc-update add dropbear default'],
  ['archlinux', 'again pacman -Sy --noconfirm --needed openssh\nsystemctl enable sshd'],
  ['debian', APT],
  ['ubuntu', APT],
  ['fedora', DNF],
  ['centos', DNF],
]);

/**
 * The container has an SSH server, and is stopped. One that came with the image is left as the image's maker configured it; otherwise the
 * container is booted and its package manager asked. A retry begins from a stopped container and asks again: package managers carry on.
 * @throws INVALID_INPUT when there is none and the image's `os` says no way to get one, OPERATION_FAILED with the last lines of the package
 * manager.
 */
export async function installSshServer(
  call: Call,
  { lxd, instances }: { readonly lxd: LxdClient; readonly instances: Instances },
  instance: LxdInstance,
): Promise<{ readonly installed: 'with the image' | 'now' }> {
  const { name } = instance;
  // Never started: what is there is of the image, not of an attempt that was cut off.
  const untouched = !('volatile.last_state.power' in instance.config);
  if (untouched && (await hasServer(lxd, name, call.signal))) return { installed: 'with the image' };
  const os = instance.config['image.os'] ?? '';
  const script = INSTALLERS.get(os.toLowerCase());
  if (script === undefined) throw unknownOs(os);
  await instances.stop(call, name, 0);
  await instances.start(call, (await lxd.instances.get(name, { signal: call.signal })).value);
  await awaitAddress(call, lxd, name);
  const deadline = new Date(Date.now() + INSTALL_TIMEOUT_MS).toISOString();
  call.waiting({ waitingFor: `the package manager of ${os} to install an SSH server`, deadline });
  const { exitCode, lastLines } = await runInside(call, lxd, name, PREAMBLE + script, INSTALL_TIMEOUT_MS);
  call.waiting(undefined);
  if (exitCode !== 0) throw failed(exitCode === undefined ? 'took longer than 5 minutes' : `failed (exit code ${exitCode})`, lastLines);
  await instances.stop(call, name, STOP_SECONDS);
  if (!(await hasServer(lxd, name, call.signal))) throw failed('said that all is well, but there is none', lastLines);
  return { installed: 'now' };
}

async function hasServer(lxd: LxdClient, name: string, signal: AbortSignal): Promise<boolean> {
  for (const folder of SERVER_FOLDERS) {
    const found = await findFile(lxd, name, folder, signal);
    if (found?.entries.some((entry) => SERVERS.includes(entry))) return true;
  }
  return false;
}

async function awaitAddress(call: Call, lxd: LxdClient, name: string): Promise<void> {
  const deadline = Date.now() + ADDRESS_TIMEOUT_MS;
  call.waiting({ waitingFor: `an address in ${name}`, deadline: new Date(deadline).toISOString() });
  while (Date.now() < deadline) {
    const { network } = await lxd.instances.state(name, { signal: call.signal });
    const addresses = Object.entries(network ?? {}).flatMap(([nic, { addresses: all }]) => (nic === 'lo' ? [] : all));
    if (addresses.some(({ family, scope }) => family === 'inet' && scope === 'global')) return;
    await new Promise((resolve) => setTimeout(resolve, ADDRESS_POLL_MS));
    call.signal.throwIfAborted();
  }
  throw failed('was not asked: the container got no address within a minute', '');
}

function unknownOs(os: string): PlatformError {
  const known = [...INSTALLERS.keys()].join(', ');
  const what = os === '' ? 'has no property "os"' : `has the property "os" = "${os}"`;
  const message = `ssh: the image holds no SSH server and ${what}, so that none can be installed. Use an image of ${known}, or one with sshd or dropbear in /usr/sbin.`;
  return new PlatformError('INVALID_INPUT', message, { details: { field: 'ssh' } });
}

function failed(how: string, lastLines: string): PlatformError {
  const said = lastLines === '' ? '' : ` It said last: ${lastLines}`;
  return new PlatformError('OPERATION_FAILED', `ssh: the package manager, asked for an SSH server, ${how}.${said}`, {
    details: { field: 'ssh', reason: 'ssh-install' },
  });
}
