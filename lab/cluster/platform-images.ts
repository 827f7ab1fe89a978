import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeHash } from '../apps.js';
import { run } from '../exec.js';
import type { Profile } from '../profile.js';
import { projectRoot } from '../project.js';
import { nodeFiles } from './node-files.js';
import { type OciImage, writeOciArchive } from './oci-archive.js';
import { baseLayer, modulesLayer, toolLayer } from './platform-layers.js';

/** The processes of the chart, each an image as deploy/docker makes it. */
const PROCESSES = ['api', 'worker', 'gateway', 'octolxd', 'kubelan', 'kuberouter', 'lxd8s', 'lxd8s-member'] as const;
const CODE = ['apps', 'workflows', 'activities', 'libs'] as const;
const REGISTRY = 'docker.io/lab';
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** As deploy/docker/lxd8s-member.Dockerfile has it. */
const AROUND_LXD = ['tini', '--', 'unshare', '--cgroup', '--mount', '--propagation', 'private'];
const IMPORT_MS = 180_000;

/** Where the chart finds the images of this tree. */
export interface PlatformImages {
  /** `image.repository` and `image.tag`. */
  readonly repository: string;
  readonly tag: string;
  /** `temporal.devServer.image` */
  readonly temporal: string;
  readonly traefik: string;
}

/**
 * Makes images of the built platform and gives them to nodes of the lab, without a registry and without a builder. What is made of Debian's
 * packages, of the lock file and of tools is packed once and kept in the cache; the code is packed anew, and a node that has a layer keeps it.
 */
export async function givePlatformImages(profile: Profile, nodes: readonly number[], say: (text: string) => void): Promise<PlatformImages> {
  const root = projectRoot();
  const tag = codeHash(root).slice(0, 12);
  const given = { repository: REGISTRY, tag, temporal: `${REGISTRY}/temporal:1`, traefik: `${REGISTRY}/traefik:1` };
  const missing = [];
  for (const node of nodes)
    if (!(await has(profile, node, [...PROCESSES.map((name) => nameOf(name, tag)), given.temporal, given.traefik]))) missing.push(node);
  if (missing.length === 0) return given;
  const [base, modules] = [await baseLayer(say), await modulesLayer(root)];
  const work = mkdtempSync(join(tmpdir(), 'webspaces-platform-'));
  try {
    const code = codeRoot(root, join(work, 'code'));
    const archive = join(work, 'images.tar');
    await writeOciArchive(archive, [
      ...PROCESSES.map((name) => processImage(name, tag, [base, modules, code])),
      toolImage(given.temporal, 'temporal', [base, await toolLayer('temporal')]),
      toolImage(given.traefik, 'traefik', [base, await toolLayer('traefik')]),
    ]);
    for (const node of missing) await importInto(profile, node, archive);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return given;
}

function codeRoot(project: string, root: string): string {
  mkdirSync(join(root, 'app'), { recursive: true });
  for (const name of CODE) cpSync(join(project, 'dist', name), join(root, 'app', 'dist', name), { recursive: true });
  copyFileSync(join(project, 'package.json'), join(root, 'app', 'package.json'));
  mkdirSync(join(root, 'usr', 'local', 'bin'), { recursive: true });
  copyFileSync(join(project, 'deploy', 'docker', 'lxd8s'), join(root, 'usr', 'local', 'bin', 'lxd8s'));
  return root;
}

function processImage(name: string, tag: string, roots: readonly string[]): OciImage {
  const node = ['node', '--enable-source-maps', `dist/apps/${name.replace('-', '/')}/main.js`];
  const Entrypoint = name === 'lxd8s-member' ? [...AROUND_LXD, ...node] : node;
  return { name: nameOf(name, tag), roots, config: { Entrypoint, WorkingDir: '/app', Env: [PATH, 'NODE_ENV=production'] } };
}

function toolImage(name: string, program: string, roots: readonly string[]): OciImage {
  return { name, roots, config: { Entrypoint: [program], Env: [PATH] } };
}

function nameOf(process: string, tag: string): string {
  return `${REGISTRY}/${process}:${tag}`;
}

async function has(profile: Profile, node: number, names: readonly string[]): Promise<boolean> {
  const there = (await ctr(profile, node, ['images', 'list', '--quiet'])).split('\n');
  return names.every((name) => there.includes(name));
}

async function importInto(profile: Profile, node: number, archive: string): Promise<void> {
  await ctr(profile, node, ['images', 'import', archive]);
}

/** Gives an image of the node another name, as a new build that is the same. */
export async function nameAgain(profile: Profile, node: number, name: string, other: string): Promise<void> {
  await ctr(profile, node, ['images', 'tag', '--force', name, other]);
}

function ctr(profile: Profile, node: number, args: readonly string[]): Promise<string> {
  const { containerdSocket } = nodeFiles(profile, node);
  return run('ctr', ['--address', containerdSocket, '--namespace', 'k8s.io', ...args], { timeoutMs: IMPORT_MS });
}
