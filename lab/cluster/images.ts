import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '../hash.js';
import { debianTree } from '../mmdebstrap.js';
import { projectRoot } from '../project.js';
import { cacheFolder, installAtomically } from '../tools/cache.js';
import { type OciImage, writeOciArchive } from './oci-archive.js';

/** What runs in pods. The two versions of LXD are the same bytes under two tags; `broken` ends at once. */
export const IMAGES = {
  pause: 'docker.io/lab/pause:1',
  lxd: 'docker.io/lab/lxd:5.0.2-1',
  lxdNext: 'docker.io/lab/lxd:5.0.2-2',
  lxdBroken: 'docker.io/lab/lxd:broken',
} as const;

const FORMAT = '1';
const SUITE = 'bookworm';
/** LXD, and what it calls. */
export const LXD_PACKAGES = [
  ...['lxd', 'lxd-client', 'nftables', 'dnsmasq-base', 'squashfs-tools', 'xz-utils', 'iproute2', 'uidmap', 'procps'],
  ...['btrfs-progs', 'ca-certificates', 'curl', 'busybox-static'],
];
const BUSYBOX = '/bin/busybox';
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const PAUSE = 'trap "exit 0" TERM INT; while :; do sleep 2147483 & wait $!; done';
const REMOVED = ['usr/share/doc', 'usr/share/locale', 'usr/share/man', 'var/cache/apt', 'var/lib/apt/lists', 'var/log'];

/** The file with all images; made from Debian's packages when its definition is new, which takes about a minute. */
export async function imageArchive(say: (text: string) => void): Promise<string> {
  const folder = join(cacheFolder(), `pod-images-${imagesKey()}`);
  if (!existsSync(folder)) {
    say('images of pods: LXD from Debian packages, about a minute');
    await installAtomically(folder, (target) => buildArchive(join(target, 'images.tar')));
  }
  return join(folder, 'images.tar');
}

/** Changes with what the images are made of. */
export function imagesKey(): string {
  return sha256(FORMAT, SUITE, LXD_PACKAGES.join(' '), readFileSync(entryPoint()), readFileSync(BUSYBOX), JSON.stringify(IMAGES)).slice(
    0,
    12,
  );
}

function entryPoint(): string {
  return join(projectRoot(), 'lab', 'cluster', 'pod', 'lxd.sh');
}

async function buildArchive(file: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'webspaces-pods-'));
  try {
    const [pause, lxd] = [join(work, 'pause'), join(work, 'lxd')];
    pauseRoot(pause);
    await lxdRoot(lxd);
    await writeOciArchive(file, images({ pause, lxd }));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function images({ pause, lxd }: { readonly pause: string; readonly lxd: string }): OciImage[] {
  const daemon = (name: string) => ({
    name,
    roots: [lxd],
    config: { Entrypoint: ['/usr/local/sbin/lxd.sh'], Env: [PATH, 'HOME=/root'], Labels: { 'ie.netsoc.lab.tag': name } },
  });
  const broken = { Entrypoint: ['/bin/sh', '-c', 'echo "this image is broken on purpose" >&2; exit 1'], Env: [PATH] };
  return [
    { name: IMAGES.pause, roots: [pause], config: { Entrypoint: ['/bin/sh', '-c', PAUSE], Env: ['PATH=/bin'] } },
    daemon(IMAGES.lxd),
    daemon(IMAGES.lxdNext),
    { name: IMAGES.lxdBroken, roots: [lxd], config: broken },
  ];
}

function pauseRoot(root: string): void {
  mkdirSync(join(root, 'bin'), { recursive: true });
  copyFileSync(BUSYBOX, join(root, 'bin', 'sh'));
  symlinkSync('sh', join(root, 'bin', 'sleep'));
}

async function lxdRoot(root: string): Promise<void> {
  await lxdTree(root, LXD_PACKAGES);
  copyFileSync(entryPoint(), join(root, 'usr', 'local', 'sbin', 'lxd.sh'));
}

/** Debian with LXD, without what only people read. */
export async function lxdTree(root: string, packages: readonly string[]): Promise<void> {
  await debianTree(root, { variant: 'minbase', suite: SUITE, include: packages });
  for (const folder of REMOVED) {
    rmSync(join(root, folder), { recursive: true, force: true });
    mkdirSync(join(root, folder), { recursive: true });
  }
  for (const file of ['subuid', 'subgid']) writeFileSync(join(root, 'etc', file), 'root:100000:10000001\n');
}
