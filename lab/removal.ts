import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { restoreWatches } from './cluster/machine.js';
import { removeNodesNetwork } from './cluster/network.js';
import { run, tryRun } from './exec.js';
import { removeInternet } from './internet.js';
import { refuseOtherIndex } from './lab-file.js';
import { removeNetwork } from './network.js';
import { endProcess, environmentMark, ProcessRecord } from './process-record.js';
import { argumentsOf, identityOf, type ProcessIdentity, processesWithEnvironment } from './process-table.js';
import { type Profile, STATE_ROOT } from './profile.js';
import { projectRoot } from './project.js';

export interface Removal {
  readonly removed: readonly string[];
  /** What should be gone and is not. */
  readonly left: readonly string[];
}

/** Ours may be in the middle of a change to a system that stays (`--use-existing`), so they are asked to end. */
const ASKED_TO_END = new Set(['api', 'worker', 'gateway', 'gateway-ports', 'octolxd']);

/** Removes one lab wholly: processes, sandbox, links, routes, cgroups and files. The cache of tools stays. */
export async function removeLab(profile: Profile): Promise<Removal> {
  refuseOtherIndex(profile);
  const removed: string[] = [];
  const names = ProcessRecord.names(profile);
  const end = async (name: string) => {
    const signal = ASKED_TO_END.has(name) ? 'SIGTERM' : 'SIGKILL';
    if (await ProcessRecord.of(profile, name).end(signal, { patienceMs: 10_000 })) removed.push(`process ${name}`);
  };
  await Promise.all(names.filter((name) => ASKED_TO_END.has(name)).map(end));
  await Promise.all(names.filter((name) => !ASKED_TO_END.has(name)).map(end));
  for (const stray of strays(profile)) {
    removed.push(`process ${stray.pid}: ${argumentsOf(stray.pid).join(' ').slice(0, 100)}`);
    await endProcess(stray, 'SIGKILL', { patienceMs: 5_000 });
  }
  const sandboxes = sandboxesOf(profile);
  const cgroups = sandboxes.flatMap(cgroupsOf);
  await Promise.all(sandboxes.map((folder) => run('bash', [join(projectRoot(), 'lab', 'sandbox.sh'), 'clean', folder])));
  removed.push(...cgroups.filter((folder) => !existsSync(folder)).map((folder) => `cgroup ${folder}`));
  removed.push(
    ...(await removeInternet(profile)),
    ...(await removeNetwork(profile)),
    ...(await removeNodesNetwork(profile)),
    ...restoreWatches(profile),
  );
  const mounts = mountsBelow(profile.paths.state);
  if (existsSync(profile.paths.state) && mounts.length === 0) {
    rmSync(profile.paths.state, { recursive: true, force: true, maxRetries: 5 });
    removed.push(`folder ${profile.paths.state}`);
  }
  if (existsSync(STATE_ROOT) && readdirSync(STATE_ROOT).length === 0) rmdirSync(STATE_ROOT);
  return { removed, left: await leftOvers(profile, cgroups) };
}

/** Everything of this lab that is on the machine. */
async function leftOvers(profile: Profile, cgroups: readonly string[]): Promise<string[]> {
  const { state } = profile.paths;
  const { network } = profile;
  const left: string[] = [];
  left.push(...strays(profile).map(({ pid }) => `process ${pid}: ${argumentsOf(pid).join(' ').slice(0, 100)}`));
  left.push(...mountsBelow(state).map((mount) => `mount ${mount}`));
  left.push(...cgroups.filter((folder) => existsSync(folder)).map((folder) => `cgroup ${folder}`));
  for (const device of readdirSync('/sys/class/net')) {
    if (device === network.hostLink.device || device.startsWith(network.nodes.bridge)) left.push(`interface ${device}`);
  }
  if (existsSync(`/run/netns/${network.routerNamespace}`)) left.push(`network namespace ${network.routerNamespace}`);
  for (const subnet of [network.containerSubnet, network.linkSubnet, network.nodes.subnet, network.nodes.podSubnet]) {
    const { stdout } = await tryRun('ip', ['route', 'show', 'root', subnet]);
    if (stdout.trim()) left.push(`route ${stdout.trim()}`);
  }
  if (existsSync(state)) left.push(`folder ${state}`);
  return left;
}

/** Started by this lab, recorded or not, and still there. */
function strays(profile: Profile): ProcessIdentity[] {
  return processesWithEnvironment(environmentMark(profile)).flatMap((pid) => identityOf(pid) ?? []);
}

/** LXD's, and one for each node. */
function sandboxesOf({ paths }: Profile): string[] {
  const nodes = existsSync(paths.cluster) ? readdirSync(paths.cluster).filter((name) => name.startsWith('node-')) : [];
  return [paths.sandbox, ...nodes.map((name) => join(paths.cluster, name, 'sandbox'))].filter((folder) => existsSync(folder));
}

function cgroupsOf(sandbox: string): string[] {
  const file = join(sandbox, 'cgroups');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
}

function mountsBelow(folder: string): string[] {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  return points.filter((point) => point === folder || point.startsWith(`${folder}/`));
}
