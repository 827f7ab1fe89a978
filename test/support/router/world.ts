import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '#lab/wait.js';
import { LABELS } from '#libs/contracts/webspaces-api.js';
import { macOf } from '#libs/domain/lan.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { Netns } from './netns.js';
import { RouterProcess } from './router-process.js';

export const SUBNET6 = 'fd57:6969:1:2::/64';
export const ROUTER = '172.24.254.1';
export const ROUTER6 = 'fd57:6969:1:2::1';
/** The other end of the routers' link to the outside; routers have .11 and .12 there. */
const OUTSIDE = '192.0.2.1';
const OUTSIDE6 = '2001:db8:0:1::1';

/** Address of forwarded ports: that of a load balancer, which leads to one router. */
export const PUBLIC = '203.0.113.7';

/** What stands at the outside, by what it stands for. */
export const PLACES = {
  internet: { v4: '198.51.100.10', v6: '2001:db8:ff::10' },
  resolver: { v4: '198.51.100.53', v6: '2001:db8:ff::53' },
  'private 10/8': { v4: '10.96.0.1', v6: 'fc00::10' },
  'private 172.16/12': { v4: '172.20.0.9', v6: 'fd00:beef::10' },
  'private 192.168/16': { v4: '192.168.7.7', v6: 'fec0::10' },
  'shared 100.64/10': { v4: '100.64.0.1', v6: '64:ff9b::a60:1' },
  'metadata and link-local': { v4: '169.254.169.254', v6: 'fd00:ec2::254' },
  benchmarks: { v4: '198.18.0.1', v6: '2001:2::1' },
  reserved: { v4: '240.0.0.1', v6: '2002:a60:1::1' },
  'a configured network': { v4: '198.51.100.99', v6: '2001:db8:ff:99::1' },
} as const;
export type Place = keyof typeof PLACES;

export interface RouterWorldOptions {
  /** Containers besides; each has a webspace and the address 172.24.1.<n>. */
  readonly tenants: number;
  readonly routers: number;
}

/**
 * A LAN with containers, an LXD member and routers, and an imitated outside, all in network namespaces: containers – bridge – routers – outside.
 * Kubernetes is the double, which routers reach through a unix socket.
 */
export class RouterWorld {
  readonly lan: Netns;
  readonly outside: Netns;
  readonly member: Netns;
  readonly tenants: readonly Netns[];
  readonly routers: readonly RouterProcess[];
  readonly kube: KubernetesClient;
  readonly folder: string;
  readonly #close: () => Promise<void>;
  readonly #relay: { server: Server | undefined };
  readonly #openRelay: () => Promise<Server>;

  private constructor(parts: Parts) {
    this.lan = parts.lan;
    this.outside = parts.outside;
    this.member = parts.member;
    this.tenants = parts.tenants;
    this.routers = parts.routers;
    this.kube = parts.kube;
    this.folder = parts.folder;
    this.#close = parts.close;
    this.#relay = parts.relay;
    this.#openRelay = parts.openRelay;
  }

  static async make(options: RouterWorldOptions): Promise<RouterWorld> {
    const undo: (() => Promise<unknown>)[] = [];
    try {
      return await RouterWorld.#make(options, undo);
    } catch (error) {
      for (const step of undo.reverse()) await step();
      throw error;
    }
  }

  static async #make({ tenants, routers }: RouterWorldOptions, undo: (() => Promise<unknown>)[]): Promise<RouterWorld> {
    const prefix = `${process.env['WEBSPACES_LAB']?.split(':')[0] ?? 'test'}-lr`;
    // In memory: dnsmasq waits for the disk with each lease, and others use the disk, too.
    const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'webspaces-router-'));
    chmodSync(folder, 0o755);
    const double = await startKubernetesDouble();
    undo.push(() => double.close());
    const kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'webspaces' });
    const openRelay = () => relayTo(join(folder, 'kubernetes.sock'), double.port);
    const relay = { server: (await openRelay()) as Server | undefined };
    undo.push(async () => relay.server?.close());
    const made = (netns: Netns) => {
      undo.push(() => netns.remove());
      return netns;
    };
    const lan = made(await Netns.make(`${prefix}-lan`));
    const bridges = ['br0', 'out0'].flatMap((name) => [`link add ${name} type bridge mcast_snooping 0`, `link set ${name} up`]);
    await lan.ip(...bridges);
    const outside = made(await makeOutside(prefix, lan));
    const member = made(await plugIn(prefix, lan, 'member', '02:00:00:00:00:01'));
    await member.ip('address add 172.24.0.1/16 dev eth0', `route add default via ${ROUTER}`);
    await member.do('serve', { tcp: [443, 8443], udp: [4789] });
    const containers: Netns[] = [];
    for (let n = 1; n <= tenants; n++) containers.push(made(await plugIn(prefix, lan, `t${n}`, macOf(tenantAddress(n)))));
    const processes: RouterProcess[] = [];
    for (let n = 1; n <= routers; n++) {
      const netns = made(await makeRouter(prefix, lan, n));
      processes.push(
        new RouterProcess({
          netns,
          number: n,
          folder: join(folder, `router${n}`),
          kubeconfig: double.kubeconfig,
          socket: join(folder, 'kubernetes.sock'),
          kubePort: double.port,
        }),
      );
    }
    const close = async () => {
      for (const router of processes) await router.end();
      relay.server?.close();
      await kube.close();
      await double.close();
      for (const netns of [...processes.map((router) => router.netns), ...containers, member, outside, lan]) await netns.remove();
      rmSync(folder, { recursive: true, force: true });
    };
    return new RouterWorld({ lan, outside, member, tenants: containers, routers: processes, kube, folder, close, relay, openRelay });
  }

  close(): Promise<void> {
    return this.#close();
  }

  /** Kubernetes is away from here on, until {@link kubernetesBack}. */
  async kubernetesAway(): Promise<void> {
    const { server } = this.#relay;
    this.#relay.server = undefined;
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  async kubernetesBack(): Promise<void> {
    this.#relay.server ??= await this.#openRelay();
  }

  /** The load balancer leads the public address to this router. */
  async leadTo(number: number): Promise<void> {
    await this.outside.ip(`route replace ${PUBLIC}/32 via 192.0.2.1${number}`);
  }

  /** The pod of a router is gone: its processes by SIGKILL, then its interfaces. */
  async losePod(number: number): Promise<void> {
    await this.router(number).killAll();
    await this.lan.ip(`link set r${number} down`, `link set r${number}o down`);
  }

  /** A webspace with this name and address, as the worker publishes it. */
  async publish(
    name: string,
    address: string,
    ports: readonly { protocol: string; external: number; internal: number }[] = [],
  ): Promise<void> {
    const spec = {
      uid: name,
      owner: { id: '1' },
      image: { fingerprint: 'x' },
      hosts: [],
      http: { port: 80 },
      address,
      ports,
      withheld: [],
    };
    await this.kube.apply('webspace', { metadata: { name, labels: { [LABELS.webspace]: name } }, spec });
  }

  /** As the worker publishes that its container runs. */
  async runs(name: string): Promise<void> {
    await this.kube.apply('webspace', { metadata: { name }, status: { phase: 'running', conditions: [] } }, { subresource: 'status' });
  }

  async unpublish(name: string): Promise<void> {
    await this.kube.delete('webspace', name, {});
  }

  router(number = 1): RouterProcess {
    const router = this.routers[number - 1];
    if (!router) throw new Error(`There is no router ${number}.`);
    return router;
  }

  tenant(number = 1): Netns {
    const tenant = this.tenants[number - 1];
    if (!tenant) throw new Error(`There is no container ${number}.`);
    return tenant;
  }

  /** A container's DHCP: what a real client was given, set on its interface. */
  async lease(tenant: Netns, hostname = ''): Promise<Record<string, string>> {
    const script = join(this.folder, 'udhcpc.sh');
    writeFileSync(script, UDHCPC, { mode: 0o755 });
    const name = hostname === '' ? [] : ['-x', `hostname:${hostname}`];
    const ask = [
      'busybox',
      'udhcpc',
      '-i',
      'eth0',
      '-n',
      '-q',
      '-f',
      '-t',
      '5',
      '-T',
      '1',
      '-s',
      script,
      '-O',
      'mtu',
      '-O',
      'domain',
      ...name,
    ];
    const said = await waitFor('a lease', async () => (await tenant.tryRun(ask)).stdout.match(/^lease-[\s\S]*/m)?.[0], {
      timeoutMs: 20_000,
    });
    return Object.fromEntries([...said.matchAll(/^lease-(\w+)=(.*)$/gm)].map(([, key, value]) => [key, value]));
  }
}

interface Parts {
  readonly lan: Netns;
  readonly outside: Netns;
  readonly member: Netns;
  readonly tenants: readonly Netns[];
  readonly routers: readonly RouterProcess[];
  readonly kube: KubernetesClient;
  readonly folder: string;
  readonly close: () => Promise<void>;
  readonly relay: { server: Server | undefined };
  readonly openRelay: () => Promise<Server>;
}

/** Sets what it was given, and says it. */
const UDHCPC = `#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip -4 address flush dev "$interface" scope global
ip address replace "$ip/$mask" dev "$interface"
for r in $router; do ip route replace default via "$r"; done
for key in ip mask router dns domain hostname lease mtu; do eval "echo lease-$key=\\$$key"; done
`;

export function tenantAddress(number: number): string {
  return `172.24.1.${number}`;
}

async function plugIn(prefix: string, lan: Netns, name: string, mac: string): Promise<Netns> {
  const netns = await Netns.make(`${prefix}-${name}`);
  await lan.ip(`link add ${name} type veth peer name eth0 netns ${netns.name}`, `link set ${name} master br0 up`);
  await netns.ip(`link set eth0 address ${mac} mtu 1450 up`);
  return netns;
}

async function makeOutside(prefix: string, lan: Netns): Promise<Netns> {
  const outside = await Netns.make(`${prefix}-out`);
  await lan.ip(`link add outside type veth peer name eth0 netns ${outside.name}`, 'link set outside master out0 up');
  const here = Object.values(PLACES).flatMap(({ v4, v6 }) => [`address add ${v4}/32 dev lo`, `address add ${v6}/128 dev lo nodad`]);
  await outside.ip(`address add ${OUTSIDE}/24 dev eth0`, `address add ${OUTSIDE6}/64 dev eth0 nodad`, 'link set eth0 up', ...here);
  const hosts = Object.values(PLACES).flatMap(({ v4, v6 }) => [v4, v6]);
  await outside.do('serve', { tcp: [22, 25, 80, 443, 465, 587, 6443, 8443], udp: [123, 4789], hosts });
  await outside.do('resolver', { host: PLACES.resolver.v4, address: PLACES.internet.v4 });
  return outside;
}

async function makeRouter(prefix: string, lan: Netns, number: number): Promise<Netns> {
  const netns = await Netns.make(`${prefix}-r${number}`);
  await lan.ip(
    `link add r${number} type veth peer name webspaces-lan netns ${netns.name}`,
    `link set r${number} master br0 up`,
    `link add r${number}o type veth peer name eth0 netns ${netns.name}`,
    `link set r${number}o master out0 up`,
  );
  await netns.ip(
    'link set webspaces-lan mtu 1450 up',
    `address add 192.0.2.1${number}/24 dev eth0`,
    `address add 2001:db8:0:1::1${number}/64 dev eth0 nodad`,
    'link set eth0 up',
    `address add ${PUBLIC}/32 dev lo`,
    `route add default via ${OUTSIDE}`,
    `route add default via ${OUTSIDE6}`,
  );
  return netns;
}

function relayTo(socketFile: string, port: number): Promise<Server> {
  rmSync(socketFile, { force: true });
  const open = new Set<{ destroy(): void }>();
  const server = createServer((client) => {
    const target = connect(port, '127.0.0.1');
    for (const [one, other] of [[client, target] as const, [target, client] as const]) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  const close = server.close.bind(server);
  server.close = (callback) => {
    for (const socket of open) socket.destroy();
    return close(callback);
  };
  return new Promise((resolve) => server.listen(socketFile, () => resolve(server)));
}
