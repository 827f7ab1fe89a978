import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '#lab/wait.js';
import { LABELS } from '#libs/contracts/webspaces-api.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { Relay } from '../relay.js';
import type { Netns } from './netns.js';
import { PUBLIC, RouterNetwork } from './network.js';
import { RouterProcess } from './router-process.js';

export interface RouterWorldOptions {
  /** Containers besides; each has the address 172.24.1.<n>. */
  readonly tenants: number;
  readonly routers: number;
}

interface Parts {
  readonly lan: Netns;
  readonly outside: Netns;
  readonly tenants: readonly Netns[];
  readonly routers: readonly RouterProcess[];
  readonly kube: KubernetesClient;
  /** The routers' way to Kubernetes. */
  readonly relay: Relay;
  readonly folder: string;
}

type Undo = (() => Promise<unknown>)[];

/**
 * A LAN with containers, an LXD member and routers, and an imitated outside, all in network namespaces. Kubernetes is the double, which
 * routers reach through a unix socket.
 */
export class RouterWorld {
  readonly #parts: Parts;
  readonly #undo: Undo;

  private constructor(parts: Parts, undo: Undo) {
    this.#parts = parts;
    this.#undo = undo;
  }

  static async make(options: RouterWorldOptions): Promise<RouterWorld> {
    const undo: Undo = [];
    try {
      return new RouterWorld(await makeParts(options, undo), undo);
    } catch (error) {
      await undone(undo);
      throw error;
    }
  }

  close(): Promise<void> {
    return undone(this.#undo);
  }

  get lan(): Netns {
    return this.#parts.lan;
  }

  get outside(): Netns {
    return this.#parts.outside;
  }

  get kube(): KubernetesClient {
    return this.#parts.kube;
  }

  /** Kubernetes is away from here on, until {@link kubernetesBack}. */
  kubernetesAway(): Promise<void> {
    return this.#parts.relay.close();
  }

  kubernetesBack(): Promise<void> {
    return this.#parts.relay.open();
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
    const router = this.#parts.routers[number - 1];
    if (!router) throw new Error(`There is no router ${number}.`);
    return router;
  }

  tenant(number = 1): Netns {
    const tenant = this.#parts.tenants[number - 1];
    if (!tenant) throw new Error(`There is no container ${number}.`);
    return tenant;
  }

  /** A container's DHCP: what a real client was given, set on its interface. */
  async lease(tenant: Netns, hostname = ''): Promise<Record<string, string>> {
    const script = join(this.#parts.folder, 'udhcpc.sh');
    writeFileSync(script, UDHCPC, { mode: 0o755 });
    const name = hostname === '' ? [] : ['-x', `hostname:${hostname}`];
    const ask = ['busybox', 'udhcpc', ...'-i eth0 -n -q -f -t 5 -T 1 -O mtu -O domain -s'.split(' '), script, ...name];
    const said = await waitFor('a lease', async () => (await tenant.tryRun(ask)).stdout.match(/^lease-[\s\S]*/m)?.[0], {
      timeoutMs: 20_000,
    });
    return Object.fromEntries([...said.matchAll(/^lease-(\w+)=(.*)$/gm)].map(([, key, value]) => [key, value]));
  }
}

/** Sets what it was given, and says it. */
const UDHCPC = `#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip -4 address flush dev "$interface" scope global
ip address replace "$ip/$mask" dev "$interface"
for r in $router; do ip route replace default via "$r"; done
for key in ip mask router dns domain hostname lease mtu; do eval "echo lease-$key=\\$$key"; done
`;

async function makeParts({ tenants, routers }: RouterWorldOptions, undo: Undo): Promise<Parts> {
  const prefix = `${process.env['WEBSPACES_LAB']?.split(':')[0] ?? 'test'}-lr`;
  // In memory: dnsmasq waits for the disk with each lease, and others use the disk, too.
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'webspaces-router-'));
  undo.push(async () => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const { kubeconfig, port, close } = await startKubernetesDouble();
  undo.push(close);
  const kube = new KubernetesClient({ kubeconfig, namespace: 'webspaces' });
  undo.push(() => kube.close());
  const socket = join(folder, 'kubernetes.sock');
  const relay = new Relay({ at: { path: socket }, port });
  undo.push(() => relay.close());
  await relay.open();
  const network = new RouterNetwork(prefix);
  undo.push(() => network.remove());
  const lan = await network.makeLan();
  const outside = await network.makeOutside(lan);
  await network.makeMember(lan);
  const containers = await each(tenants, (number) => network.makeTenant(lan, number));
  const processes = await each(routers, async (number) => {
    const netns = await network.makeRouter(lan, number);
    return new RouterProcess({ netns, number, folder: join(folder, `router${number}`), kubeconfig, socket, kubePort: port });
  });
  for (const router of processes) undo.push(() => router.end());
  return { lan, outside, tenants: containers, routers: processes, kube, relay, folder };
}

/** One after the other, with numbers from 1. */
async function each<T>(count: number, make: (number: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let number = 1; number <= count; number++) made.push(await make(number));
  return made;
}

async function undone(steps: Undo): Promise<void> {
  for (const step of steps.splice(0).reverse()) await step();
}
