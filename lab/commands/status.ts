import { existsSync } from 'node:fs';
import { parse, profileArgument } from '../arguments.js';
import { nodeAddress, podSubnetOf } from '../cluster/network.js';
import { gatewayPortsUrl } from '../gateway-ports.js';
import { readLabFile } from '../lab-file.js';
import { githubUrl, octolxdUrl } from '../octolxd.js';
import type { LabProcess } from '../process.js';
import { type Profile, siteUrl } from '../profile.js';
import { bold, dim, green, red } from '../progress.js';
import { Stack } from '../stack.js';
import { resolveNodeTools, resolveTools } from '../tools/resolve.js';

interface Row {
  readonly part: string;
  readonly pid: string;
  readonly healthy: boolean;
  readonly memory: string;
  readonly where: string;
}

/** `npm run status`: one row for each part; exit code 1 when one of them is not well. */
export async function status(args: readonly string[]): Promise<number> {
  const { values } = parse(args, { profile: { type: 'string' } });
  const profile = profileArgument(values.profile);
  const lab = readLabFile(profile);
  if (!lab) {
    console.log(`No lab "${profile.name}" is here. Start it with: npm start`);
    return 1;
  }
  const nodes = lab.nodes ? { count: lab.nodes, tools: await resolveNodeTools({ installMissing: false }) } : undefined;
  const stack = new Stack(profile, await resolveTools({ installMissing: false }), { ...lab, nodes });
  const names = namesIn(lab.mode, lab.apps);
  const processes = stack.processes().filter((process) => names(process.name));
  const rows = await Promise.all(processes.map((process) => rowOf(stack, process)));
  if (lab.mode === 'own') rows.splice(rows.findIndex((row) => row.part === 'lxd') + 1, 0, routerRow(profile));
  print(rows);
  for (const [name, value] of Object.entries(lab.targets ?? {})) console.log(dim(`${name}: ${value}`));
  return rows.every((row) => row.healthy) ? 0 : 1;
}

function namesIn(mode: 'own' | 'existing', apps: 'all' | 'none'): (name: string) => boolean {
  const anywhere = new Set(['api', 'worker']);
  const ours = new Set([...anywhere, 'gateway', 'relay', 'gateway-ports', 'github', 'octolxd']);
  if (mode === 'existing') return (name) => anywhere.has(name);
  return (name) => apps === 'all' || !ours.has(name);
}

async function rowOf(stack: Stack, process: LabProcess): Promise<Row> {
  const bytes = process.name === 'sandbox' ? stack.sandbox.residentBytes() : process.residentBytes();
  return {
    part: process.name,
    pid: String(process.pid() ?? '–'),
    healthy: await process.healthy(),
    memory: bytes > 0 ? `${Math.round(bytes / 2 ** 20)} MiB` : '–',
    where: placeOf(stack.profile, process.name),
  };
}

function placeOf(profile: Profile, name: string): string {
  const { ports, urls, paths, network } = profile;
  const places: Record<string, string> = {
    temporal: `127.0.0.1:${ports.temporal}, UI ${urls.temporalUi}`,
    etcd: `127.0.0.1:${ports.etcd}`,
    'kube-apiserver': urls.kubernetes,
    'kube-controller-manager': `127.0.0.1:${ports.controllerManager}`,
    sandbox: 'namespaces of LXD; memory of all inside',
    lxd: paths.lxdSocket,
    traefik: `${siteUrl(profile, '<user>')}, http ${ports.web}, ${urls.traefik}`,
    'cert-manager': `127.0.0.1:${ports.certManager}`,
    dns: `127.0.0.1:${ports.dns}, UDP and TCP; names in ${paths.dnsNames}`,
    relay: `${network.hostLink.host}:${ports.kubernetes} and :${ports.temporal} for what runs beside the router`,
    worker: `127.0.0.1:${ports.worker}`,
    'gateway-ports': `forwarded ports at ${network.hostLink.router}; ${gatewayPortsUrl(profile)}`,
    github: `simulator of GitHub: ${githubUrl(profile)}, releases in ${paths.github}`,
    octolxd: octolxdUrl(profile),
    api: `${urls.api}, ${urls.swagger}`,
    gateway: `${network.hostLink.host}:${ports.gatewayHttp}, TLS ${ports.gatewayTls}, health 127.0.0.1:${ports.gateway}`,
  };
  return places[name] ?? nodePlace(profile, name);
}

function nodePlace(profile: Profile, name: string): string {
  const { ports, network } = profile;
  const [, number, program] = /^node-(\d+)(?:-(.+))?$/.exec(name) ?? [];
  if (number !== undefined && program === undefined)
    return `namespaces of a node; ${nodeAddress(profile, Number(number))}, pods ${podSubnetOf(profile, Number(number))}`;
  const places: Record<string, string> = {
    'kube-scheduler': `127.0.0.1:${ports.scheduler}`,
    'relay-nodes': `${network.nodes.host}:${ports.kubernetes} for nodes and pods`,
    longhorn: 'a simulator on the real definitions, in longhorn-system',
    'dns-nodes': `${network.nodes.host}:53, names of services and their pods`,
  };
  return places[name] ?? '';
}

function routerRow({ network }: Profile): Row {
  const healthy = existsSync(`/run/netns/${network.routerNamespace}`) && existsSync(`/sys/class/net/${network.hostLink.device}`);
  return {
    part: 'router',
    pid: '–',
    healthy,
    memory: '–',
    where: `${network.containerSubnet} by ${network.hostLink.device}, namespace ${network.routerNamespace}`,
  };
}

function print(rows: readonly Row[]): void {
  const line = (part: string, pid: string, health: string, memory: string, where: string) =>
    `${part.padEnd(25)}${pid.padStart(8)}  ${health}  ${memory.padStart(9)}  ${where}`;
  console.log(bold(line('PART', 'PID', 'HEALTH ', 'MEMORY', 'WHERE')));
  for (const row of rows) {
    const health = row.healthy ? green('ok     ') : red('not ok ');
    console.log(line(row.part, row.pid, health, row.memory, row.where));
  }
}
