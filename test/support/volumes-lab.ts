import { type Lab, startLab } from '#lab/harness.js';
import { FAULT_ANNOTATION, type Fault } from '#lab/longhorn/faults.js';
import { ensureLonghornDefinitions, longhornBeside } from '#lab/longhorn/part.js';
import { SETTINGS_NAME } from '#lab/longhorn/settings.js';
import type { LabProcess } from '#lab/process.js';
import { waitFor } from '#lab/wait.js';
import type { ObservedVolume } from '#libs/domain/upgrade/observed.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { observeVolumes } from '#libs/longhorn/observe.js';
import { RebuildProgress } from '#libs/longhorn/rebuild-progress.js';

const NODES = ['node-a', 'node-b', 'node-c'] as const;
const NAMESPACE = 'lxd-volumes';
const LONGHORN_NAMESPACE = 'longhorn-volumes';
export const MEMBERS = ['lxd-0', 'lxd-1', 'lxd-2'] as const;
const GIB = 1024 ** 3;
const WITHIN = { timeoutMs: 60_000, intervalMs: 100 };

/**
 * Three pods of a StatefulSet with a claim each, on nodes that are only objects: the controllers make pods and bind claims, this class is the
 * scheduler, and the simulator of Longhorn plays the volumes. No container runs.
 */
export class VolumesLab {
  readonly longhorn: LabProcess;
  readonly #kube: KubernetesClient;
  readonly #rebuilds = new RebuildProgress();

  private constructor(readonly lab: Lab) {
    this.longhorn = longhornBeside(lab.profile, {
      kubeconfig: lab.kubeconfigAdmin,
      claimsNamespace: NAMESPACE,
      namespace: LONGHORN_NAMESPACE,
    });
    this.#kube = new KubernetesClient({ kubeconfig: lab.kubeconfigAdmin, namespace: NAMESPACE });
  }

  static async open(): Promise<VolumesLab> {
    const lab = await startLab({ apps: 'none' });
    await ensureLonghornDefinitions(lab.stack.tools, lab.kubeconfigAdmin);
    const volumes = new VolumesLab(lab);
    await volumes.#write(...objects());
    await volumes.settings({ bytesPerSecond: GIB / 2, stepMs: 500 });
    await volumes.longhorn.ensure();
    await Promise.all(MEMBERS.map((pod, i) => volumes.place(pod, NODES[i] ?? 'node-a')));
    return volumes;
  }

  async close(): Promise<void> {
    await this.#kube.close();
    const { lab } = this;
    await lab.kubectl(['delete', 'namespace', NAMESPACE, '--timeout=60s']);
    await lab.kubectl(['delete', 'pv,node', '-l', 'test=volumes', '--timeout=60s']);
    await this.longhorn.stop();
    await lab.kubectl(['delete', 'namespace', LONGHORN_NAMESPACE, '--timeout=60s']);
  }

  /** How fast the simulator goes. */
  settings(data: { readonly bytesPerSecond: number; readonly stepMs: number }): Promise<void> {
    // The lab may have real nodes, too.
    const texts = { ...Object.fromEntries(Object.entries(data).map(([key, value]) => [key, String(value)])), nodes: NODES.join() };
    const metadata = { name: SETTINGS_NAME, namespace: LONGHORN_NAMESPACE };
    return this.#write({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: texts });
  }

  /** Puts the pod that the StatefulSet's controller makes on that node. */
  async place(pod: string, node: string): Promise<void> {
    await waitFor(`pod ${pod}`, () => this.#kube.find('pod', pod), WITHIN);
    const target = { apiVersion: 'v1', kind: 'Node', name: node };
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: pod, namespace: NAMESPACE }, target };
    const path = `/api/v1/namespaces/${NAMESPACE}/pods/${pod}/binding`;
    await this.lab.kubectl(['create', '--raw', path, '-f', '-'], { input: JSON.stringify(binding) });
  }

  /** Deletes the pod; the next one of its name goes to a node that has no copy of its volume. Gives that node. */
  async moveAway(pod: string): Promise<string> {
    const target = await waitFor('a node without a copy', () => this.#nodeWithoutCopy(pod), WITHIN);
    const uid = (await this.#kube.get('pod', pod)).metadata.uid;
    await this.lab.kubectl(['-n', NAMESPACE, 'delete', 'pod', pod, '--wait=false']);
    const isNew = async () => ![uid, undefined].includes((await this.#kube.find('pod', pod))?.metadata.uid);
    await waitFor(`another ${pod}`, isNew, WITHIN);
    await this.place(pod, target);
    return target;
  }

  /** Lets something go wrong with the volume of that pod; undefined takes it away. */
  async fault(pod: string, fault: Fault | undefined): Promise<void> {
    const change = fault ? `${FAULT_ANNOTATION}=${fault}` : `${FAULT_ANNOTATION}-`;
    await this.lab.kubectl(['-n', LONGHORN_NAMESPACE, 'annotate', '--overwrite', 'volumes.longhorn.io', `pv-${pod}`, change]);
  }

  deleteReplica(name: string): Promise<string> {
    return this.lab.kubectl(['-n', LONGHORN_NAMESPACE, 'delete', 'replicas.longhorn.io', name]);
  }

  volumes(): Promise<ObservedVolume[]> {
    const members = MEMBERS.map((member) => ({ member, pod: member, namespace: NAMESPACE }));
    return observeVolumes({ kube: this.#kube, namespace: LONGHORN_NAMESPACE, members, rebuilds: this.#rebuilds });
  }

  /** Undefined while a surplus copy has not been removed yet. */
  async #nodeWithoutCopy(member: string): Promise<string | undefined> {
    const own = (await this.volumes()).filter((volume) => volume.member === member);
    return NODES.find((node) => own.every(({ replicas }) => replicas.every((replica) => replica.node !== node)));
  }

  async #write(...items: readonly object[]): Promise<void> {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    await this.lab.kubectl(['apply', '--server-side', '--force-conflicts', '--field-manager=test', '-f', '-'], { input: list });
  }
}

function objects(): object[] {
  const labels = { test: 'volumes' };
  const nodes = NODES.map((name) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } }));
  const persistent = MEMBERS.map((pod) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `pv-${pod}`, labels },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'test-volumes',
      csi: { driver: 'driver.longhorn.io', volumeHandle: `pv-${pod}` },
      claimRef: { namespace: NAMESPACE, name: `state-${pod}` },
    },
  }));
  const claim = { accessModes: ['ReadWriteOnce'], storageClassName: 'test-volumes', resources: { requests: { storage: '1Gi' } } };
  const template = {
    metadata: { labels: { app: 'lxd' } },
    // There is no kubelet that would end them, and no other scheduler shall take them.
    spec: {
      schedulerName: 'test',
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'lxd', image: 'none', volumeMounts: [{ name: 'state', mountPath: '/state' }] }],
    },
  };
  const statefulSet = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'lxd', namespace: NAMESPACE },
    spec: {
      serviceName: 'lxd',
      replicas: MEMBERS.length,
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: { app: 'lxd' } },
      template,
      volumeClaimTemplates: [{ metadata: { name: 'state' }, spec: claim }],
    },
  };
  const namespaces = [NAMESPACE, LONGHORN_NAMESPACE].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
  return [...namespaces, ...nodes, ...persistent, statefulSet];
}
