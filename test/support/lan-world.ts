import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, tryRun } from '#lab/exec.js';
import { type Lab, startKubernetes } from '#lab/harness.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { Place } from './lan-place.js';
import { Relay } from './relay.js';

const MOST_PLACES = 12;
const SERVICE_LABEL = 'kubernetes.io/service-name';

/** An underlay of network namespaces on one bridge, and a real API server that they reach. */
export class LanWorld {
  readonly #lab: Lab;
  readonly #kube: KubernetesClient;
  readonly #folder = mkdtempSync(join(tmpdir(), 'lan-'));
  readonly #places: Place[] = [];
  readonly #slices = new Set<string>();
  /** Namespaces reach this end of their bridge only; the API server listens on the machine's loopback. */
  readonly #relay: Relay;

  private constructor(lab: Lab) {
    this.#lab = lab;
    this.#kube = new KubernetesClient({ kubeconfig: lab.kubeconfigAdmin, namespace: 'webspaces' });
    const port = lab.profile.ports.kubernetes;
    this.#relay = new Relay({ at: { host: this.#host, port }, port });
  }

  static async open(lab?: Lab): Promise<LanWorld> {
    const world = new LanWorld(lab ?? (await startKubernetes()));
    await world.#removeAll();
    await run('ip', ['link', 'add', world.#bridge, 'type', 'bridge', 'mcast_snooping', '0']);
    await run('ip', ['address', 'add', `${world.#host}/24`, 'dev', world.#bridge]);
    await run('ip', ['address', 'add', `${world.#prefix6}::fe/64`, 'dev', world.#bridge, 'nodad']);
    await run('ip', ['link', 'set', 'dev', world.#bridge, 'up']);
    await world.apiServerBack();
    return world;
  }

  get kube(): KubernetesClient {
    return this.#kube;
  }

  /** A namespace with the next address, of both families; kubelan uses the one that is named. */
  async place(family: 'ipv4' | 'ipv6' = 'ipv4'): Promise<Place> {
    const number = this.#places.length + 1;
    if (number > MOST_PLACES) throw new RangeError('too many places');
    const namespace = `${this.#bridge}-${number}`;
    const device = `wl${this.#index}-${number}`;
    const [four, six] = [`${this.#prefix4}.${number}`, `${this.#prefix6}::${number}`];
    await run('ip', ['netns', 'add', namespace]);
    await run('ip', ['link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
    await run('ip', ['link', 'set', 'dev', device, 'master', this.#bridge, 'up']);
    for (const [address, more] of [[`${four}/24`, []] as const, [`${six}/64`, ['nodad']] as const]) {
      await run('ip', ['-n', namespace, 'address', 'add', address, 'dev', 'eth0', ...more]);
    }
    for (const link of ['lo', 'eth0']) await run('ip', ['-n', namespace, 'link', 'set', 'dev', link, 'up']);
    const underlay = family === 'ipv4' ? four : six;
    const place = new Place({
      namespace,
      underlay,
      listen: `${four}:8181`,
      folder: join(this.#folder, namespace),
      kubeconfig: this.#kubeconfig,
    });
    this.#places.push(place);
    return place;
  }

  /** An address of the underlay that nobody has. */
  nobody(number: number): string {
    return `${this.#prefix4.replace(/\d+$/, '200')}.${number}`;
  }

  /** Makes a slice of a Service say just this; one address list for each slice name. */
  async slice(service: string, name: string, addresses: readonly string[], conditions: object = { ready: true }): Promise<void> {
    const [namespace, plain] = service.includes('/') ? (service.split('/') as [string, string]) : ['webspaces', service];
    this.#slices.add(`${namespace}/${name}`);
    const addressType = addresses[0]?.includes(':') ? 'IPv6' : 'IPv4';
    await this.#kube.in(namespace).apply('endpointSlice', {
      metadata: { name, labels: { [SERVICE_LABEL]: plain } },
      addressType,
      ports: [],
      endpoints: addresses.map((address) => ({ addresses: [address], conditions })),
    });
  }

  async removeSlice(name: string, namespace = 'webspaces'): Promise<void> {
    await this.#kube.in(namespace).delete('endpointSlice', name, {});
    this.#slices.delete(`${namespace}/${name}`);
  }

  /** A namespace of Kubernetes in which kubelan may read, as deploy/chart/files/rbac/kubelan.yaml says for the first one. */
  async otherNamespace(name: string): Promise<void> {
    const rules = readFileSync('deploy/chart/files/rbac/kubelan.yaml', 'utf8').split('---\n').slice(1).join('---\n');
    const there = rules.replaceAll(
      'metadata: {name: webspaces-kubelan, namespace: webspaces}',
      `metadata: {name: webspaces-kubelan, namespace: ${name}}`,
    );
    const file = join(this.#folder, `${name}.yaml`);
    writeFileSync(file, `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}\n---\n${there}`);
    await this.#lab.kubectl(['apply', '-f', file]);
  }

  /** No new connection reaches the API server, and those that are there end. */
  apiServerAway(): Promise<void> {
    return this.#relay.close();
  }

  apiServerBack(): Promise<void> {
    return this.#relay.open();
  }

  async close(): Promise<void> {
    for (const place of this.#places) await place.end();
    for (const key of [...this.#slices]) {
      const [namespace = '', name = ''] = key.split('/');
      await this.removeSlice(name, namespace);
    }
    await this.apiServerAway();
    await this.#kube.close();
    await this.#removeAll();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #removeAll(): Promise<void> {
    for (let number = 1; number <= MOST_PLACES; number++) {
      const namespace = `${this.#bridge}-${number}`;
      // A process that is left in it would keep it, and its half of the link.
      const { stdout } = await tryRun('ip', ['netns', 'pids', namespace]);
      for (const pid of stdout.split('\n').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
      await tryRun('ip', ['netns', 'delete', namespace]);
      await tryRun('ip', ['link', 'delete', `wl${this.#index}-${number}`]);
    }
    await tryRun('ip', ['link', 'delete', this.#bridge]);
  }

  get #index(): number {
    return this.#lab.profile.index;
  }

  get #bridge(): string {
    return `wslan${this.#index}`;
  }

  get #prefix4(): string {
    return `10.74.${this.#index}`;
  }

  get #prefix6(): string {
    return `fd74:${this.#index}`;
  }

  get #host(): string {
    return `${this.#prefix4}.254`;
  }

  /** As the service account of deploy/chart/files/rbac/kubelan.yaml; the certificate does not know the bridge's address. */
  get #kubeconfig(): string {
    const { profile } = this.#lab;
    const file = join(this.#folder, 'kubeconfig');
    const config = JSON.parse(readFileSync(this.#lab.kubeconfigOf('webspaces-kubelan'), 'utf8')) as {
      clusters: { cluster: Record<string, unknown> }[];
    };
    for (const { cluster } of config.clusters) {
      cluster['server'] = `https://${this.#host}:${profile.ports.kubernetes}`;
      cluster['insecure-skip-tls-verify'] = true;
    }
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    return file;
  }
}
