import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '#lab/exec.js';
import { sha256 } from '#lab/hash.js';
import { type Image, type ImageOptions, packImage } from '#lab/image.js';
import { debianTree } from '#lab/mmdebstrap.js';
import { projectRoot } from '#lab/project.js';
import { cacheFolder, installAtomically } from '#lab/tools/cache.js';

/** The lab's image with a package manager that only says what it was asked. `install` runs where packages would be installed. */
export function fakeAptImage(serial: string, install: string): ImageOptions {
  const apt = `#!/bin/sh\necho "apt-get $* ($DEBIAN_FRONTEND)" >> /var/log/packages.log\ncase "$*" in *install*)\n${install}\n;; esac\n`;
  return { serial, os: 'Ubuntu', programs: { '/usr/bin/apt-get': apt, '/usr/bin/dpkg': '#!/bin/sh\nexit 0\n' } };
}

export const INSTALLS = 'mkdir -p /usr/sbin; echo "#!/bin/sh" > /usr/sbin/sshd; chmod 755 /usr/sbin/sshd';

const INIT = `#!/usr/local/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
trap 'exit 0' PWR INT TERM
ip link set lo up
ip link set eth0 up
busybox udhcpc -f -t 10 -T 1 -A 1 -i eth0 -s /usr/local/sbin/udhcpc.sh > /var/log/udhcpc.log 2>&1 &
[ -x /etc/init.d/ssh ] && /etc/init.d/ssh start > /var/log/ssh-start.log 2>&1
while :; do
  sleep 3600 &
  wait $!
done
`;

/** Runs outside of the new root "$1", before it is packed: a folder of packages that holds an SSH server and what it needs, and nothing else to install from. */
const PREPARE = `set -e
APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -y --no-install-recommends --download-only install openssh-server
packages="$1/var/local/packages"
mkdir -p "$packages"
mv "$1"/var/cache/apt/archives/*.deb "$packages"
cd "$packages"
for file in *.deb; do
  dpkg-deb -f "$file"
  echo "Filename: ./$file"
  echo "Size: $(stat -c %s "$file")"
  echo "SHA256: $(sha256sum "$file" | cut -d' ' -f1)"
  echo
done > Packages
cp "$FILES/sources.list" "$1/etc/apt/sources.list"
rm -f "$1/etc/apt/sources.list.d/"*
cp /bin/busybox "$1/usr/local/bin/busybox"
ln -s busybox "$1/usr/local/bin/ip"
install -m 755 "$FILES/init" "$1/sbin/init"
install -m 755 "$FILES/udhcpc.sh" "$1/usr/local/sbin/udhcpc.sh"
`;
const SOURCES = 'deb [trusted=yes] file:/var/local/packages ./\n';

/** Debian 12 with apt and without an SSH server, whose only source of packages is a folder in itself. Made once, in some minutes. */
export async function debianImage(): Promise<Image> {
  const udhcpc = readFileSync(join(projectRoot(), 'lab/image/udhcpc.sh'), 'utf8');
  const folder = join(cacheFolder(), 'images', `debian-12-${sha256(INIT, PREPARE, SOURCES, udhcpc).slice(0, 16)}`);
  if (!existsSync(folder)) await installAtomically(folder, (target) => makeDebian(target, udhcpc));
  const [metadataFile, rootfsFile] = [join(folder, 'metadata.tar.xz'), join(folder, 'rootfs.squashfs')];
  const fingerprint = await run('sh', ['-c', 'cat "$0" "$1" | sha256sum | cut -d" " -f1', metadataFile, rootfsFile]);
  return { metadataFile, rootfsFile, fingerprint: fingerprint.trim() };
}

async function makeDebian(target: string, udhcpc: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'webspaces-debian-'));
  try {
    const files = join(work, 'files');
    mkdirSync(files);
    writeFileSync(join(files, 'init'), INIT);
    writeFileSync(join(files, 'udhcpc.sh'), udhcpc);
    writeFileSync(join(files, 'sources.list'), SOURCES);
    writeFileSync(join(files, 'prepare.sh'), PREPARE);
    const root = join(work, 'rootfs');
    await debianTree(root, { variant: 'apt', suite: 'bookworm', customize: `FILES=${files} sh ${join(files, 'prepare.sh')} "$1"` });
    await packImage(target, root, { os: 'Debian', serial: '12', compression: 'gzip' });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
