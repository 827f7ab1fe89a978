import { existsSync } from 'node:fs';
import { run, tryRun } from '../exec.js';
import type { Profile } from '../profile.js';

/** In each node; the network plug-in gives it its address. */
export const POD_BRIDGE = 'cni0';

/** Nodes are numbered from 1. */
export function nodeAddress({ network }: Profile, number: number): string {
  return network.nodes.host.replace(/\.1$/, `.${10 + number}`);
}

/** Its pods are in it; the first address is the node's bridge. */
export function podSubnetOf({ network }: Profile, number: number): string {
  return network.nodes.podSubnet.replace('.0.0/16', `.${number}.0/24`);
}

/** The bridge between host and nodes. The host forwards nothing: no packet of a pod can leave the machine. */
export async function ensureNodesBridge({ network }: Profile): Promise<void> {
  const { bridge, host, subnet, podSubnet } = network.nodes;
  await refuseForeignRoutes(bridge, [subnet, podSubnet]);
  if (!existsSync(`/sys/class/net/${bridge}`)) await run('ip', ['link', 'add', bridge, 'type', 'bridge']);
  await run('ip', ['link', 'set', bridge, 'addrgenmode', 'none']);
  await run('ip', ['address', 'replace', `${host}/24`, 'dev', bridge]);
  await run('ip', ['link', 'set', bridge, 'up']);
  await run('ip', ['route', 'replace', 'unreachable', podSubnet, 'metric', '4096']);
}

interface NodeLink {
  readonly number: number;
  readonly sandboxInit: number;
  /** Of all nodes: each reaches the pods of each. */
  readonly nodes: number;
}

/** Joins a node to the bridge, and gives host and node the ways to the pods of all nodes. */
export async function ensureNodeLink(profile: Profile, { number, sandboxInit, nodes }: NodeLink): Promise<void> {
  const { bridge, host } = profile.network.nodes;
  const device = linkOf(profile, number);
  const inside = (command: readonly string[]) => run('nsenter', ['-t', String(sandboxInit), '-n', ...command]);
  const whole =
    existsSync(`/sys/class/net/${device}`) &&
    (await tryRun('nsenter', ['-t', String(sandboxInit), '-n', 'ip', 'link', 'show', 'eth0'])).exitCode === 0;
  if (!whole) {
    await tryRun('ip', ['link', 'del', device]);
    await run('ip', ['link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(sandboxInit)]);
  }
  await run('ip', ['link', 'set', device, 'master', bridge, 'addrgenmode', 'none', 'up']);
  await inside(['ip', 'address', 'replace', `${nodeAddress(profile, number)}/24`, 'dev', 'eth0']);
  await inside(['ip', 'link', 'set', 'eth0', 'up']);
  await inside(['ip', 'route', 'replace', 'default', 'via', host]);
  await inside(['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  if ((await tryRun('nsenter', ['-t', String(sandboxInit), '-n', 'ip', 'link', 'show', POD_BRIDGE])).exitCode !== 0) {
    await inside(['ip', 'link', 'add', POD_BRIDGE, 'type', 'bridge']);
  }
  // A pod that is gone is refused after 0.4 s instead of 3 s.
  const neighbours = [
    'retrans_time_ms=200',
    'mcast_solicit=2',
    'ucast_solicit=1',
    'delay_first_probe_time=0',
    'base_reachable_time_ms=500',
  ];
  await inside(['sysctl', '-qw', ...neighbours.map((setting) => `net.ipv4.neigh.${POD_BRIDGE}.${setting}`)]);
  for (let other = 1; other <= nodes; other++) {
    if (other !== number) await inside(['ip', 'route', 'replace', podSubnetOf(profile, other), 'via', nodeAddress(profile, other)]);
  }
  await run('ip', ['route', 'replace', podSubnetOf(profile, number), 'via', nodeAddress(profile, number), 'dev', bridge]);
}

/** Cuts a node off from the host and from all other nodes, or joins it again. */
export async function setNodeLink(profile: Profile, number: number, state: 'up' | 'down'): Promise<void> {
  await run('ip', ['link', 'set', linkOf(profile, number), state]);
}

/** Links go with the sandboxes of the nodes; returns what was there. */
export async function removeNodesNetwork({ network }: Profile): Promise<string[]> {
  const { bridge, podSubnet } = network.nodes;
  const removed: string[] = [];
  // A link goes with its node's namespace, which the kernel may take its time to end, or which somebody's last socket holds.
  const names = (await run('ip', ['-o', 'link', 'show'])).matchAll(/^\d+: ([^:@\s]+)/gm);
  const links = [...names].flatMap(([, name = '']) => (name.startsWith(`${bridge}n`) ? [name] : []));
  for (const link of links) if ((await tryRun('ip', ['link', 'del', link])).exitCode === 0) removed.push(`interface ${link}`);
  if ((await tryRun('ip', ['link', 'del', bridge])).exitCode === 0) removed.push(`interface ${bridge}`);
  if ((await tryRun('ip', ['route', 'del', 'unreachable', podSubnet, 'metric', '4096'])).exitCode === 0) removed.push(`route ${podSubnet}`);
  return removed;
}

function linkOf({ network }: Profile, number: number): string {
  return `${network.nodes.bridge}n${number}`;
}

async function refuseForeignRoutes(bridge: string, subnets: readonly string[]): Promise<void> {
  for (const subnet of subnets) {
    const routes = (await run('ip', ['route', 'show', 'root', subnet])).split('\n').filter(Boolean);
    const foreign = routes.find((route) => !route.startsWith('unreachable ') && !route.includes(` dev ${bridge} `));
    if (foreign) throw new Error(`this machine already uses ${subnet} for something else (${foreign.trim()}); the lab would take it over`);
  }
}
