import { existsSync } from 'node:fs';
import { run, tryRun } from './exec.js';
import type { Profile } from './profile.js';

/**
 * host --wslab<i>/host-- router --lxd/uplink-- LXD's sandbox. The host reaches containers through the router, containers open no
 * connection towards the host, and what has no route is refused instead of leaving by the host's default route.
 */
export async function ensureNetwork(profile: Profile, sandboxInit: number): Promise<void> {
  await refuseForeignRoutes(profile);
  await ensureRouter(profile);
  await ensureHostLink(profile);
  await ensureLxdLink(profile, sandboxInit);
}

/**
 * An address of the bridge without a container is reported as unreachable after 0.4 s instead of 3 s, and one whose container has just
 * gone within about a second: the kernel would trust what it learnt for half a minute.
 */
export async function refuseQuickly({ network }: Profile, sandboxInit: number): Promise<void> {
  const settings = [
    'retrans_time_ms=200',
    'mcast_solicit=2',
    'ucast_solicit=1',
    'delay_first_probe_time=0',
    'base_reachable_time_ms=500',
  ].map((setting) => `net.ipv4.neigh.${network.bridge}.${setting}`);
  await run('nsenter', ['-t', String(sandboxInit), '-n', 'sysctl', '-qw', ...settings]);
}

/** Removes the links, the router and the host's routes; returns what was there. */
export async function removeNetwork(profile: Profile): Promise<string[]> {
  const { hostLink, routerNamespace, containerSubnet, linkSubnet } = profile.network;
  const removed: string[] = [];
  if ((await tryRun('ip', ['link', 'del', hostLink.device])).exitCode === 0) removed.push(`interface ${hostLink.device}`);
  if ((await tryRun('ip', ['netns', 'del', routerNamespace])).exitCode === 0) removed.push(`network namespace ${routerNamespace}`);
  for (const subnet of [containerSubnet, linkSubnet]) {
    if ((await tryRun('ip', ['route', 'del', 'unreachable', subnet, 'metric', UNREACHABLE_METRIC])).exitCode === 0)
      removed.push(`route ${subnet}`);
  }
  await forgetNamespaceFolder();
  return removed;
}

const UNREACHABLE_METRIC = '4096';

async function refuseForeignRoutes({ network }: Profile): Promise<void> {
  for (const subnet of [network.containerSubnet, network.linkSubnet]) {
    const routes = (await run('ip', ['route', 'show', 'root', subnet])).split('\n').filter(Boolean);
    const foreign = routes.find((route) => !route.startsWith('unreachable ') && !route.includes(` dev ${network.hostLink.device} `));
    if (foreign) throw new Error(`this machine already uses ${subnet} for something else (${foreign.trim()}); the lab would take it over`);
  }
}

async function ensureRouter({ network }: Profile): Promise<void> {
  const namespace = network.routerNamespace;
  if (!existsSync(`/run/netns/${namespace}`)) await run('ip', ['netns', 'add', namespace]);
  await run('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
  // A port that the system hands out to a connection of the gateway could not be listened on meanwhile.
  await inRouter(namespace, ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv4.ip_local_port_range=32768 49151']);
  await run('ip', ['-n', namespace, 'route', 'replace', 'unreachable', network.containerSubnet, 'metric', UNREACHABLE_METRIC]);
  await inRouter(namespace, ['nft', '-f', '-'], routerRules(network.lxdLink.lxd));
}

/** New connections may go to the containers; only LXD itself may open one towards the host (to fetch an image). */
function routerRules(lxdAddress: string): string {
  return `
table inet lab
delete table inet lab
table inet lab {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "host" accept
    iifname "lxd" ip saddr ${lxdAddress} accept
    iifname "lxd" reject with icmpx type admin-prohibited
  }
}
`;
}

async function ensureHostLink({ network }: Profile): Promise<void> {
  const { hostLink, routerNamespace: router } = network;
  const whole =
    existsSync(`/sys/class/net/${hostLink.device}`) && (await tryRun('ip', ['-n', router, 'link', 'show', 'host'])).exitCode === 0;
  if (!whole) {
    await tryRun('ip', ['link', 'del', hostLink.device]);
    await run('ip', ['link', 'add', hostLink.device, 'type', 'veth', 'peer', 'name', 'host', 'netns', router]);
  }
  await run('ip', ['link', 'set', hostLink.device, 'addrgenmode', 'none']);
  await run('ip', ['address', 'replace', `${hostLink.host}/30`, 'dev', hostLink.device]);
  await run('ip', ['link', 'set', hostLink.device, 'up']);
  await run('ip', ['-n', router, 'address', 'replace', `${hostLink.router}/30`, 'dev', 'host']);
  await run('ip', ['-n', router, 'link', 'set', 'host', 'up']);
  for (const subnet of [network.containerSubnet, network.linkSubnet]) {
    await run('ip', ['route', 'replace', 'unreachable', subnet, 'metric', UNREACHABLE_METRIC]);
    await run('ip', ['route', 'replace', subnet, 'via', hostLink.router, 'dev', hostLink.device, 'metric', '10']);
  }
}

async function ensureLxdLink({ network }: Profile, sandboxInit: number): Promise<void> {
  const { lxdLink, routerNamespace: router } = network;
  const inSandbox = (command: readonly string[]) => run('nsenter', ['-t', String(sandboxInit), '-n', ...command]);
  const whole = (await tryRun('ip', ['-n', router, 'link', 'show', 'lxd'])).exitCode === 0;
  if (!whole) await run('ip', ['-n', router, 'link', 'add', 'lxd', 'type', 'veth', 'peer', 'name', 'uplink', 'netns', String(sandboxInit)]);
  await run('ip', ['-n', router, 'address', 'replace', `${lxdLink.router}/30`, 'dev', 'lxd']);
  await run('ip', ['-n', router, 'link', 'set', 'lxd', 'up']);
  await run('ip', ['-n', router, 'route', 'replace', network.containerSubnet, 'via', lxdLink.lxd, 'dev', 'lxd', 'metric', '10']);
  await inSandbox(['ip', 'address', 'replace', `${lxdLink.lxd}/30`, 'dev', 'uplink']);
  await inSandbox(['ip', 'link', 'set', 'uplink', 'up']);
  await inSandbox(['ip', 'route', 'replace', network.linkSubnet, 'via', lxdLink.router, 'dev', 'uplink']);
  await inSandbox(['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
}

function inRouter(namespace: string, command: readonly string[], input = ''): Promise<string> {
  return run('nsenter', [`--net=/run/netns/${namespace}`, ...command], { input });
}

/** `ip netns add` makes /run/netns a mount of its own; with the last namespace it is ours to remove. */
async function forgetNamespaceFolder(): Promise<void> {
  const { stdout } = await tryRun('ip', ['netns', 'list']);
  if (stdout.trim() !== '') return;
  await tryRun('umount', ['/run/netns']);
  await tryRun('rmdir', ['/run/netns']);
}
