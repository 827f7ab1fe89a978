import type { ClusterLab } from '#lab/cluster/harness.js';
import { FAULT_ANNOTATION, type Fault } from '#lab/longhorn/faults.js';
import { LONGHORN_NAMESPACE } from '#lab/longhorn/part.js';
import { SETTINGS_NAME } from '#lab/longhorn/settings.js';
import { waitFor } from '#lab/wait.js';

interface ReplicaObject {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: { readonly nodeID: string };
}

/** Nodes of the lab's cluster, and the simulator of Longhorn that plays its members' volumes. */
export class ClusterLonghorn {
  readonly #cluster: ClusterLab;

  constructor(cluster: ClusterLab) {
    this.#cluster = cluster;
  }

  /** How fast the simulator goes. */
  async settings(data: { readonly bytesPerSecond: number; readonly stepMs: number }): Promise<void> {
    const texts = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, String(value)]));
    const metadata = { name: SETTINGS_NAME, namespace: LONGHORN_NAMESPACE };
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: texts });
    await this.#cluster.lab.kubectl(['apply', '--server-side', '--force-conflicts', '--field-manager=test', '-f', '-'], { input });
  }

  /** Lets something go wrong with the volume of that member; undefined takes it away. */
  async fault(member: string, fault: Fault | undefined): Promise<void> {
    const change = fault ? `${FAULT_ANNOTATION}=${fault}` : `${FAULT_ANNOTATION}-`;
    await this.#kubectl('annotate', '--overwrite', 'volumes.longhorn.io', this.volumeOf(member), change);
  }

  volumeOf(member: string): string {
    return `${this.#cluster.lab.profile.name}-${member}`;
  }

  /** Nodes with a copy of its volume, sorted. */
  async copiesOf(member: string): Promise<string[]> {
    const { items } = JSON.parse(await this.#kubectl('get', 'replicas.longhorn.io', '-o', 'json')) as { items: ReplicaObject[] };
    const own = items.filter(({ metadata }) => metadata.labels?.['longhornvolume'] === this.volumeOf(member));
    return own.map(({ spec }) => spec.nodeID).sort();
  }

  /** By member, where its pod is. */
  async nodes(): Promise<Record<string, string>> {
    const pods = await this.#cluster.pods();
    return Object.fromEntries(pods.map(({ metadata, spec }) => [metadata.name, spec.nodeName ?? '']).sort());
  }

  /** Which nodes take no new pods from now on; all others do. */
  async cordoned(...nodes: readonly string[]): Promise<void> {
    const { lab } = this.#cluster;
    const all = (await lab.kubectl(['get', 'nodes', '-o', 'name'])).split('\n').filter(Boolean);
    for (const node of all) await lab.kubectl([nodes.includes(node.replace('node/', '')) ? 'cordon' : 'uncordon', node]);
  }

  /** Every volume is attached and healthy. */
  async well(): Promise<void> {
    const well = async () => {
      const said = await this.#kubectl(
        'get',
        'volumes.longhorn.io',
        '-o',
        'jsonpath={range .items[*]}{.status.state}/{.status.robustness} {end}',
      );
      const states = said.trim().split(/\s+/);
      return states.length >= this.#cluster.memberNames.length && states.every((state) => state === 'attached/healthy');
    };
    await waitFor('healthy volumes', well, { timeoutMs: 60_000, intervalMs: 250 });
  }

  #kubectl(...args: readonly string[]): Promise<string> {
    return this.#cluster.lab.kubectl(['-n', LONGHORN_NAMESPACE, ...args]);
  }
}
