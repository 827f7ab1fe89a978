import { readlinkSync } from 'node:fs';
import type { ClusterLab } from '#lab/cluster/harness.js';
import { LAN } from '#lab/cluster/lan.js';
import { run } from '#lab/exec.js';
import { http } from '#lab/http.js';
import { descendantsOf } from '#lab/process-table.js';
import { waitFor } from '#lab/wait.js';
import { linkLocalOf, macOf, slaacOf } from '#libs/domain/lan.js';
import { arp, BROADCAST, ETHERTYPE, ethernet } from '../frames/build.js';
import { RawLink } from '../frames/raw-link.js';
import { type Attack, attacks, type Host, type Targets } from './attacks.js';
import { type Container, inside } from './cluster-containers.js';
import type { HostName } from './member-network.js';

const VNI = 6969;
const NOBODY = '00:00:00:00:00:00';

/** Containers of the cluster: `a` and `b` on the same member, the others elsewhere. */
export interface Cast {
  readonly a: Required<Container>;
  readonly b: Required<Container>;
  readonly c: Required<Container>;
  /** And the address that it has leased. */
  readonly stranger: Required<Container>;
}

/** Raw sockets in real containers and pods: who sends what it may not, and who gets it. */
export class ClusterAttack {
  private constructor(
    readonly targets: Targets,
    private readonly links: ReadonlyMap<HostName | 'member', RawLink>,
  ) {}

  /** Those of containers have the rights of their container's root, no more. */
  static async open(cluster: ClusterLab, cast: Cast): Promise<ClusterAttack> {
    const strangersMac = (await inside(cluster, cast.stranger, 'cat /sys/class/net/eth0/address')).trim();
    const router = (await cluster.lan.exec(LAN.router, ['cat', `/sys/class/net/${LAN.interface}/address`])).trim();
    const hosts: Targets['hosts'] = {
      a: hostOf(cast.a.address),
      b: hostOf(cast.b.address),
      c: hostOf(cast.c.address),
      stranger: hostOf(cast.stranger.address, strangersMac),
      router: { mac: router, address: LAN.ipv4.router, address6: LAN.ipv6.router, link: 'fe80::1' },
      service: { ...hostOf(LAN.neighbourAddress), address6: LAN.neighbourAddress6 },
    };
    const { member: name } = cast.a;
    const mac = (await cluster.exec(name, ['cat', `/sys/class/net/${LAN.bridge}/address`])).trim();
    const member = { mac, address: (await cluster.pod(name)).status.podIP ?? '', vni: VNI };
    const namespaces = await networkNamespaces(cluster);
    const links = new Map<HostName | 'member', RawLink>();
    for (const [who, { mac: own }] of [...Object.entries(hosts), ['member', member] as const]) {
      const contained = ['a', 'b', 'c', 'stranger'].includes(who);
      const device = contained ? 'eth0' : who === 'member' ? LAN.bridge : LAN.interface;
      const pid = namespaces.get(`${device} ${own}`);
      if (pid === undefined) throw new Error(`no network namespace of the cluster has ${device} with ${own}`);
      const user = contained ? ['--user'] : [];
      links.set(who as HostName | 'member', await RawLink.open(['nsenter', '--target', String(pid), '--net', ...user], device));
    }
    return new ClusterAttack({ hosts, member }, links);
  }

  attacks(): Attack[] {
    return attacks(this.targets);
  }

  /** Sends it so many times, and then what is allowed. Gives who got it. */
  async attempt({ frame, from }: Pick<Attack, 'frame' | 'from'>, count: number): Promise<string[]> {
    for (const link of this.links.values()) link.forget();
    await this.link(from).send(frame, count);
    // By way of the attacker's port first; then to everybody, to whom nothing comes by another way.
    await this.asks(from, ['router', 'service']);
    await this.asks('service', ['a', 'b', 'c', 'stranger', 'router']);
    await Promise.all([...this.links.values()].map((link) => link.sync()));
    return [...this.links].flatMap(([who, link]) => (who !== from && link.has(frame) ? [who] : []));
  }

  link(who: HostName | 'member'): RawLink {
    const link = this.links.get(who);
    if (!link) throw new Error(`nothing listens at ${who}`);
    return link;
  }

  close(): void {
    for (const link of this.links.values()) link.close();
  }

  private async asks(from: HostName, arrivesAt: readonly HostName[]): Promise<void> {
    const { mac, address } = this.targets.hosts[from];
    const question = arp('request', { mac, ip: address }, { mac: NOBODY, ip: this.targets.hosts.router.address });
    const marker = ethernet({ from: mac, to: BROADCAST }, ETHERTYPE.arp, question);
    await this.link(from).send(marker);
    for (const who of arrivesAt.filter((each) => each !== from)) {
      await waitFor(`what ${from} asks at ${who}`, () => this.link(who).has(marker), { timeoutMs: 10_000, intervalMs: 5 });
    }
  }
}

function hostOf(address: string, mac = macOf(address)): Host {
  return { mac, address, address6: slaacOf(LAN.ipv6.subnet, mac), link: linkLocalOf(mac) };
}

/** A process in each network namespace below the cluster's nodes, by each interface in it: `<device> <MAC>`. */
async function networkNamespaces(cluster: ClusterLab): Promise<Map<string, number>> {
  const pids = new Map<string, number>();
  const nodes = new Set((await cluster.pods()).map(({ spec }) => spec.nodeName ?? ''));
  for (const node of nodes) {
    for (const pid of descendantsOf(cluster.lab.process(node as `node-${number}`).pid() ?? 0)) {
      const namespace = networkOf(pid);
      if (namespace !== undefined) pids.set(namespace, pid);
    }
  }
  const found = new Map<string, number>();
  for (const pid of pids.values()) {
    const links = JSON.parse(await run('nsenter', ['--target', String(pid), '--net', 'ip', '-j', 'link', 'show'])) as {
      ifname: string;
      address?: string;
    }[];
    for (const { ifname, address } of links) found.set(`${ifname} ${address}`, pid);
  }
  return found;
}

function networkOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    // Ended while we looked.
    return undefined;
  }
}

/** A sum over the lines of a metric that begin so. */
export async function metricAt(address: string, metric: string): Promise<number> {
  const { body } = await http(`${address}/metrics`, { timeoutMs: 10_000 });
  const lines = body.split('\n').filter((line) => line.startsWith(`${metric} `) || line.startsWith(`${metric}{`));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
