import { ownNic } from '#activities/lxd/nic.js';
import type { ClusterLab } from '#lab/cluster/harness.js';
import { LAN } from '#lab/cluster/lan.js';
import { buildImage, importImage } from '#lab/image.js';

const IMAGE = 'hello';
const PLATFORM = { network: 'lxdbr0', bridge: LAN.bridge, nic: { isolation: 'strict' } } as const;

/** A container on the members' network; without an address it is nobody's webspace. */
export interface Container {
  readonly name: string;
  readonly member: string;
  readonly address?: string;
}

/** A container as the worker makes one, and what the router learns of it. */
export async function launch(cluster: ClusterLab, { name, member, address }: Container): Promise<void> {
  const lxd = cluster.lxd.client(member);
  await importImage(lxd, await buildImage(), IMAGE);
  if (address !== undefined) await cluster.lan.reserve(name, address);
  const stranger = { type: 'nic', nictype: 'bridged', parent: LAN.bridge, name: 'eth0' };
  const eth0 = address === undefined ? stranger : ownNic(PLATFORM, address);
  const body = { name, source: { type: 'image', alias: IMAGE }, config: { 'boot.autostart': 'true' }, devices: { eth0 } };
  await lxd.request('POST', `/1.0/instances?target=${member}`, { body });
  await lxd.request('PUT', `/1.0/instances/${name}/state`, { body: { action: 'start', timeout: 30 } });
}

/** Runs a script in a container. */
export function inside(cluster: ClusterLab, { name, member }: Container, script: string): Promise<string> {
  return cluster.exec(member, ['lxc', 'exec', name, '--', 'sh', '-c', script]);
}

/** Those of the places that answer an echo from there, by their names. */
export async function answering(
  run: (script: string) => Promise<string>,
  places: Readonly<Record<string, string>>,
  size = 56,
): Promise<string[]> {
  const ping = (address: string) => `ping${address.includes(':') ? '6' : ''} -c 2 -W 2 -s ${size} ${address}`;
  const each = Object.entries(places).map(([name, address]) => `(${ping(address)} > /dev/null 2>&1 && echo ${name}) &`);
  const said = await run(`${each.join(' ')} wait`);
  const names = said.split('\n').filter(Boolean);
  return Object.keys(places).filter((name) => names.includes(name));
}
