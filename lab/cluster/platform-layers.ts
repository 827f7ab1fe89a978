import { appendFileSync, chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { sha256 } from '../hash.js';
import { cacheFolder, installAtomically } from '../tools/cache.js';
import { resolveTool } from '../tools/resolve.js';
import { LXD_PACKAGES, lxdTree } from './images.js';
import { packLayer } from './oci-archive.js';

const FORMAT = '1';
/** What the container files of deploy/docker install, for all processes at once: one layer is quicker to make and to unpack than many. */
const PACKAGES = [...LXD_PACKAGES, 'conntrack', 'libstdc++6', 'tini'];
/** Whom the images of Node have; pods of the chart run as this user. */
const USER = { passwd: 'node:x:1000:1000::/home/node:/bin/sh\n', group: 'node:x:1000:\n' };

interface LockedPackage {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}

/** Debian's packages and Node, packed; made when its definition is new, which takes about a minute. */
export function baseLayer(say: (text: string) => void): Promise<string> {
  return keptLayer(`platform-base-${sha256(FORMAT, PACKAGES.join(' '), process.version).slice(0, 12)}`, async (root) => {
    say('images of the platform: Debian packages, about a minute');
    await lxdTree(root, PACKAGES);
    for (const [file, line] of Object.entries(USER)) appendFileSync(join(root, 'etc', file), line);
    copyFileSync(process.execPath, join(root, 'usr', 'local', 'bin', 'node'));
  });
}

/** /app/node_modules with what package-lock.json names for running, packed. */
export function modulesLayer(project: string): Promise<string> {
  const lock = join(project, 'package-lock.json');
  return keptLayer(`platform-modules-${sha256(FORMAT, readFileSync(lock)).slice(0, 12)}`, (root) => {
    const { packages } = JSON.parse(readFileSync(lock, 'utf8')) as { readonly packages: Readonly<Record<string, LockedPackage>> };
    for (const [path, { dev, optional, devOptional }] of Object.entries(packages)) {
      if (path === '' || dev) continue;
      const from = join(project, path);
      if (existsSync(from)) copyPackage(from, join(root, 'app', path));
      else if (!optional && !devOptional) throw new Error(`${path} is in package-lock.json and not installed: npm ci`);
    }
  });
}

/** A program of the lab's tools, packed as /usr/local/bin/<its name>. */
export async function toolLayer(tool: 'temporal' | 'traefik'): Promise<string> {
  const program = await resolveTool(tool);
  return keptLayer(`platform-${tool}-${sha256(FORMAT, program).slice(0, 12)}`, (root) => {
    const target = join(root, 'usr', 'local', 'bin', basename(program));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(program, target);
    chmodSync(target, 0o755);
  });
}

/** Packages within it are entries of their own; of Temporal's native module only what this machine loads. */
function copyPackage(from: string, to: string): void {
  const nested = join(from, 'node_modules');
  const release = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`;
  const wanted = (path: string) => path !== nested && (!path.includes('/core-bridge/releases/') || path.includes(`/releases/${release}`));
  cpSync(from, to, { recursive: true, verbatimSymlinks: true, filter: wanted });
}

/** Packed once for each name, into the cache. */
async function keptLayer(name: string, fill: (root: string) => Promise<void> | void): Promise<string> {
  const folder = join(cacheFolder(), name);
  if (!existsSync(folder)) {
    const work = mkdtempSync(join(tmpdir(), 'webspaces-layer-'));
    try {
      chmodSync(work, 0o755);
      const root = join(work, 'root');
      mkdirSync(root);
      await fill(root);
      await installAtomically(folder, (target) => packLayer(root, join(target, 'layer.tar')));
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  return join(folder, 'layer.tar');
}
