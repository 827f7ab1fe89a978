import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run } from '../exec.js';
import { filesBelow } from '../hash.js';
import { cacheFolder, installAtomically } from '../tools/cache.js';
import { imageArchive, imagesKey } from './images.js';

/** In namespaces of its own: no mount and no process outlives the command. */
const IMPORT = `set -e
root=$1 archive=$2 work=$3
mount --make-rprivate /
containerd --config "$work/containerd.toml" > "$work/containerd.log" 2>&1 &
for attempt in $(seq 200); do [ -S "$work/socket" ] && break; sleep 0.05; done
ctr --address "$work/socket" -n k8s.io images import "$archive"
kill %1
wait %1 || true`;

/**
 * What containerd keeps on a node, with all images unpacked; made once for each set of images. A node gets a copy of links, since containerd
 * never writes into a layer it has: a new node has its images at once, and all share their blocks.
 */
export async function imageStore(say: (text: string) => void): Promise<string> {
  const folder = join(cacheFolder(), `containerd-${imagesKey()}`);
  if (!existsSync(folder)) {
    const archive = await imageArchive(say);
    say('images of pods: unpacking them for containerd');
    await installAtomically(folder, (target) => fill(target, archive));
  }
  return join(folder, 'root');
}

/** Gives a node its images; a node that has some keeps them. */
export async function copyImageStore(store: string, root: string): Promise<void> {
  if (existsSync(root)) return;
  mkdirSync(join(root, '..'), { recursive: true });
  await run('sh', ['-c', 'cp -al "$0" "$1.new" 2>/dev/null || { rm -rf "$1.new"; cp -a "$0" "$1.new"; }', store, root]);
  // Databases are written in place.
  for (const file of filesBelow(`${root}.new`, (name) => name.endsWith('.db')).filter((name) => !name.includes('/snapshots/'))) {
    await run('sh', ['-c', 'cp "$0" "$0.own" && mv "$0.own" "$0"', file]);
  }
  await run('mv', [`${root}.new`, root]);
}

async function fill(target: string, archive: string): Promise<void> {
  const [root, work] = [join(target, 'root'), join(target, 'work')];
  mkdirSync(work, { recursive: true });
  const config = `version = 2\nroot = "${root}"\nstate = "${work}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n`;
  writeFileSync(
    join(work, 'containerd.toml'),
    `${config}[grpc]\n  address = "${work}/socket"\n[plugins."io.containerd.internal.v1.opt"]\n  path = "${work}/opt"\n`,
  );
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc'];
  await run('unshare', [...namespaces, 'bash', '-c', IMPORT, basename(root), root, archive, work], { timeoutMs: 300_000 });
  await run('rm', ['-rf', work]);
}
