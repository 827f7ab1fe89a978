import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, tryRun } from '#lab/exec.js';
import { waitFor } from '#lab/wait.js';
import { linkLocalOf, macOf, portOf, slaacOf } from '#libs/domain/lan.js';

export const SUBNET6 = 'fd00:24::/64';
export const ROUTER = { address: '172.24.254.1', address6: 'fd00:24::1', mac: macOf('172.24.254.1') } as const;
/** Something else of the platform's on the network, as Traefik may be. */
export const SERVICE = { address: '172.24.0.254', address6: 'fd00:24::fe', mac: macOf('172.24.0.254') } as const;
export const BRIDGE = 'lxd-lan';
/** Of the member's own end of the bridge. */
export const BRIDGE_MAC = '0a:00:00:00:00:01';
export const UPLINK = 'webspaces-lan';

/** What is on the network, by its place. `a` and `b` are webspaces of the member `one`, `c` of `two`; `stranger` is a container of no webspace. */
export const HOSTS = {
  a: webspace('172.24.1.2'),
  b: webspace('172.24.1.3'),
  c: webspace('172.24.1.4'),
  stranger: { address: '172.24.192.7', mac: '00:16:3e:00:00:07', port: 'veth0abc', ...sixOf('00:16:3e:00:00:07') },
  router: { ...ROUTER, port: 'router', link: linkLocalOf(ROUTER.mac) },
  service: { ...SERVICE, port: 'service', link: linkLocalOf(SERVICE.mac) },
} as const;
export type HostName = keyof typeof HOSTS;

function webspace(address: string) {
  const mac = macOf(address);
  return { address, mac, port: portOf(address), ...sixOf(mac) };
}

function sixOf(mac: string) {
  return { address6: slaacOf(SUBNET6, mac), link: linkLocalOf(mac) };
}

const ON: Readonly<Record<HostName, 'one' | 'two' | 'hub'>> = {
  a: 'one',
  b: 'one',
  stranger: 'one',
  c: 'two',
  router: 'hub',
  service: 'hub',
};

/** Two members, what hangs on them, and the network between them, in network namespaces named by this run; a `hub` takes the
 * overlay's place. Bridges learn nothing, so that every frame goes wherever it may. */
export class MemberNetwork {
  readonly #made: string[] = [];

  constructor(private readonly prefix: string) {}

  inside(name: string): string[] {
    return ['ip', 'netns', 'exec', this.#named(name)];
  }

  async run(name: string, command: readonly string[], input?: string): Promise<string> {
    const [program = '', ...rest] = [...this.inside(name), ...command];
    return run(program, rest, { timeoutMs: 30_000, ...(input === undefined ? {} : { input }) });
  }

  async up(): Promise<void> {
    for (const name of ['hub', 'one', 'two']) {
      await this.#namespace(name);
      const bridge = name === 'hub' ? 'hub' : BRIDGE;
      // Its own address, or it takes another with each port.
      await this.#ip(
        name,
        `link add ${bridge} address ${BRIDGE_MAC} type bridge mcast_snooping 0 ageing_time 0\nlink set ${bridge} addrgenmode none up`,
      );
    }
    for (const member of ['one', 'two']) {
      await this.#ip(
        'hub',
        `link add ${member} type veth peer name ${UPLINK} netns ${this.#named(member)}\nlink set ${member} master hub up`,
      );
      await this.#ip(member, `link set ${UPLINK} addrgenmode none\nlink set ${UPLINK} master ${BRIDGE} up`);
    }
    for (const host of Object.keys(HOSTS) as HostName[]) await this.add(host);
  }

  /** The interface of a host, as LXD makes one: its port is in the bridge before anything runs inside. */
  async add(host: HostName): Promise<void> {
    const { address, address6, mac, port } = HOSTS[host];
    const on = ON[host];
    // A namespace that is deleted lets go of its interfaces some time later, and of their names elsewhere with them.
    if (this.#made.includes(host)) await tryRun('ip', ['-n', this.#named(on), 'link', 'del', port]);
    await this.#namespace(host);
    await this.#ip(host, `link add eth0 address ${mac} type veth peer name ${port} netns ${this.#named(on)}`);
    await this.#ip(on, `link set ${port} addrgenmode none\nlink set ${port} master ${on === 'hub' ? 'hub' : BRIDGE} up`);
    await this.#ip(host, `address add ${address}/16 brd + dev eth0\naddress add ${address6}/64 nodad dev eth0\nlink set eth0 up`);
  }

  async remove(host: HostName): Promise<void> {
    await run('ip', ['-n', this.#named(ON[host]), 'link', 'del', HOSTS[host].port]);
  }

  /** What hosts were made to believe of each other, they ask anew. */
  async forgetNeighbours(): Promise<void> {
    for (const host of Object.keys(HOSTS)) await this.#ip(host, 'neigh flush all');
  }

  /** Whether an echo comes back. */
  async reaches(from: HostName, to: string): Promise<boolean> {
    const [program = '', ...rest] = [...this.inside(from), 'busybox', to.includes(':') ? 'ping6' : 'ping', '-c', '1', '-W', '2', to];
    return (await tryRun(program, rest, { timeoutMs: 10_000 })).exitCode === 0;
  }

  async down(): Promise<void> {
    for (const name of this.#made.splice(0)) await tryRun('ip', ['netns', 'del', this.#named(name)]);
  }

  async #namespace(name: string): Promise<void> {
    if (this.#made.includes(name)) await tryRun('ip', ['netns', 'del', this.#named(name)]);
    else this.#made.push(name);
    await tryRun('ip', ['netns', 'del', this.#named(name)]);
    await run('ip', ['netns', 'add', this.#named(name)]);
    await this.#ip(name, 'link set lo up');
  }

  #ip(name: string, batch: string): Promise<string> {
    return run('ip', ['-n', this.#named(name), '-batch', '-'], { input: `${batch}\n`, timeoutMs: 20_000 });
  }

  #named(name: string): string {
    return `${this.prefix}-${name}`;
  }
}

/** What a member's process needs to start, and LXD's side of it: a socket that lists the containers that it is told. */
export class MemberFiles {
  readonly folder = mkdtempSync(join(tmpdir(), 'lan-members-'));
  readonly socket = join(this.folder, 'unix.socket');
  readonly kubeconfig = join(this.folder, 'kubeconfig');
  #server: Server | undefined;

  async start(instances: readonly object[]): Promise<void> {
    // Nobody listens there: a member starts while Kubernetes is away.
    const cluster = { name: 'none', cluster: { server: 'http://127.0.0.1:9' } };
    const context = { name: 'none', context: { cluster: 'none', user: 'none' } };
    const kubeconfig = { apiVersion: 'v1', kind: 'Config', clusters: [cluster], contexts: [context], users: [{ name: 'none', user: {} }] };
    writeFileSync(this.kubeconfig, JSON.stringify({ ...kubeconfig, 'current-context': 'none' }));
    const environment = {
      server_name: 'one',
      server_version: '5.0.2',
      server_clustered: true,
      certificate_fingerprint: '',
      architectures: [],
    };
    const answers: Readonly<Record<string, unknown>> = {
      '/1.0': { auth: 'trusted', api_extensions: [], environment },
      '/1.0/instances': instances,
    };
    this.#server = createServer((request, response) => {
      const metadata = answers[new URL(request.url ?? '', 'http://lxd').pathname];
      response.setHeader('content-type', 'application/json');
      response.writeHead(metadata === undefined ? 404 : 200);
      response.end(JSON.stringify({ type: 'sync', status: 'Success', status_code: 200, metadata: metadata ?? null }));
    });
    this.#server.listen(this.socket);
    await waitFor('the socket', () => this.#server?.listening, { timeoutMs: 5_000 });
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => (this.#server ? this.#server.close(resolve) : resolve(undefined)));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
