import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { run, tryRun } from '../exec.js';
import { filesBelow, hashFiles, sha256 } from '../hash.js';
import { debianTree } from '../mmdebstrap.js';
import { projectRoot } from '../project.js';
import { cacheFolder, installAtomically } from '../tools/cache.js';

const FORMAT = '1';
const SUITE = 'bookworm';
const KERNEL = 'linux-image-cloud-amd64';
/** LXD and what it calls, and what makes a machine of it. */
const PACKAGES = [
  ...['lxd', 'lxd-client', 'lxcfs', 'apparmor', 'nftables', 'dnsmasq-base', 'squashfs-tools', 'xz-utils', 'iproute2', 'uidmap', 'procps'],
  ...['btrfs-progs', 'e2fsprogs', 'ca-certificates', 'kmod', 'qemu-guest-agent', 'socat', 'busybox-static'],
];
/** Not built into Debian's cloud kernel; without them there is no root file system. `virtio_pci` is for q35. */
const EARLY_MODULES = ['virtio_mmio', 'virtio_pci', 'virtio_blk', 'squashfs', 'overlay'];
const REMOVED = ['usr/share/doc', 'usr/share/locale', 'usr/share/man', 'usr/share/info', 'var/cache/apt', 'var/lib/apt/lists', 'var/log'];

/** The folder with `kernel`, `initrd` and `root.squashfs` of a member's VM. Made when its definition is new: from Debian's packages in two minutes, from our files in a second. */
export async function guestFolder(say: (text: string) => void): Promise<string> {
  const debian = await debianFolder(say);
  const sources = filesBelow(OURS(), () => true);
  const folder = join(cacheFolder(), `vm-guest-${sha256(FORMAT, basename(debian), hashFiles(sources)).slice(0, 12)}`);
  if (!existsSync(folder)) {
    await installAtomically(folder, async (target) => {
      for (const name of ['kernel', 'root.squashfs']) linkSync(join(debian, name), join(target, name));
      await packInitrd(join(debian, 'modules'), join(target, 'initrd'));
    });
  }
  return folder;
}

const OURS = () => join(projectRoot(), 'deploy', 'vm');

/** What of it is Debian's alone: kernel, root file system, and the modules that are needed before there is one. */
async function debianFolder(say: (text: string) => void): Promise<string> {
  const key = sha256(FORMAT, SUITE, KERNEL, PACKAGES.join(' '), EARLY_MODULES.join(' ')).slice(0, 12);
  const folder = join(cacheFolder(), `vm-debian-${key}`);
  if (!existsSync(folder)) {
    say('machine of a member: Debian packages, about two minutes');
    await installAtomically(folder, buildDebian);
  }
  return folder;
}

async function buildDebian(target: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'webspaces-guest-'));
  try {
    const kernel = join(work, 'kernel');
    const version = await unpackKernel(work, kernel);
    await plainKernel(join(kernel, 'boot', `vmlinuz-${version}`), join(target, 'kernel'));
    await takeModules({ kernel, version, to: join(target, 'modules') });
    const root = join(work, 'root');
    await debianTree(root, { variant: 'minbase', suite: SUITE, include: PACKAGES });
    fillRoot(root, join(kernel, 'lib', 'modules', version));
    const form = ['-noappend', '-no-progress', '-quiet', '-comp', 'zstd', '-Xcompression-level', '6'];
    await run('mksquashfs', [root, join(target, 'root.squashfs'), ...form]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The newest kernel of the package, as it is; its version is told. */
async function unpackKernel(work: string, target: string): Promise<string> {
  const packages = join(work, 'packages');
  mkdirSync(packages);
  const depends = await run('apt-cache', ['depends', '--important', KERNEL]);
  const image = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (image === undefined) throw new Error(`${KERNEL} names no kernel: ${depends}`);
  await run('apt-get', ['download', image], { cwd: packages });
  const [deb = ''] = readdirSync(packages);
  await run('dpkg-deb', ['-x', join(packages, deb), target]);
  const version = image.replace('linux-image-', '');
  await run('depmod', ['-b', target, version]);
  return version;
}

/** Machines without firmware's help begin at the bare kernel (PVH), which is in Debian's image packed by LZ4. Offsets: Documentation/arch/x86/boot.rst. */
async function plainKernel(image: string, target: string): Promise<void> {
  const bytes = readFileSync(image);
  const start = ((bytes[0x1f1] ?? 0) + 1) * 512 + bytes.readUInt32LE(0x248);
  const packed = `${target}.lz4`;
  writeFileSync(packed, bytes.subarray(start, start + bytes.readUInt32LE(0x24c)));
  // Its length stands behind the packed kernel, at which lz4 ends with an error.
  await tryRun('sh', ['-c', 'lz4 -dc "$0" > "$1"', packed, target]);
  rmSync(packed);
  if (readFileSync(target).subarray(1, 4).toString() !== 'ELF') throw new Error(`${basename(image)} holds no kernel packed by LZ4`);
}

interface Modules {
  readonly kernel: string;
  readonly version: string;
  readonly to: string;
}

/** With what they need, and in `order` their names as they are to be loaded. */
async function takeModules({ kernel, version, to }: Modules): Promise<void> {
  mkdirSync(to);
  const order = new Set<string>();
  for (const module of EARLY_MODULES) {
    const needed = await run('modprobe', ['-d', kernel, '-S', version, '--show-depends', module]);
    for (const [, path = ''] of needed.matchAll(/^insmod (\S+)/gm)) order.add(path);
  }
  for (const path of order) copyFileSync(path, join(to, basename(path)));
  writeFileSync(join(to, 'order'), [...order].map((path) => `${basename(path)}\n`).join(''));
}

async function packInitrd(modules: string, file: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'webspaces-initrd-'));
  try {
    for (const folder of ['bin', 'dev', 'proc', 'sys', 'root', 'lower', 'over']) mkdirSync(join(work, folder));
    copyFileSync('/bin/busybox', join(work, 'bin', 'busybox'));
    copyFileSync(join(OURS(), 'initramfs-init'), join(work, 'init'));
    cpSync(modules, join(work, 'modules'), { recursive: true });
    cpSync(join(OURS(), 'guest'), join(work, 'lxd8s'), { recursive: true });
    await run('sh', ['-c', 'find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0 | gzip -9n > "$0"', file], { cwd: work });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function fillRoot(root: string, modules: string): void {
  for (const folder of REMOVED) {
    rmSync(join(root, folder), { recursive: true, force: true });
    mkdirSync(join(root, folder), { recursive: true });
  }
  for (const file of ['subuid', 'subgid']) writeFileSync(join(root, 'etc', file), 'root:100000:10000001\n');
  const skipped = new Set(['build', 'source']);
  cpSync(modules, join(root, 'usr', 'lib', 'modules', basename(modules)), {
    recursive: true,
    filter: (path) => !skipped.has(basename(path)),
  });
}
