import { join } from 'node:path';
import { FluxPart } from '../flux/part.js';
import { type Lab, type LabOptions, startLab } from '../harness.js';
import { type HttpAnswer, http } from '../http.js';
import { KubeClient } from '../kube-client.js';
import { silent } from '../progress.js';
import { projectRoot } from '../project.js';
import { waitFor } from '../wait.js';
import { ClusterKube, type Pod } from './kube.js';
import { LanLab } from './lan-lab.js';
import { endUpgrades } from './left-upgrades.js';
import { LxdCluster, type Member, type Web } from './lxd-cluster.js';
import { CLUSTER, type StatefulSetOptions } from './manifests.js';
import { setNodeLink } from './network.js';
import { Observer } from './observer.js';
import { type ClusterSettings, writeClusterSettings } from './settings.js';

export interface ClusterLabOptions extends StatefulSetOptions, Pick<LabOptions, 'apps' | 'temporalInMemory' | 'progress' | 'profile'> {
  /** Real nodes; as many as members unless given. Each takes one member. */
  readonly nodes?: number;
  /** What the worker's configuration says of the cluster, where it is not the lab's usual. */
  readonly settings?: ClusterSettings;
  /** `anew`: whatever is there is replaced by a cluster without instances, at its first versions; upgrades of the old one end with it. */
  readonly cluster?: 'joined' | 'anew';
}

/**
 * Brings up, or joins, a lab with real nodes and a cluster of LXD in pods. Safe to call again: what is there stays, and the StatefulSet
 * becomes what is asked for; a cluster of another size, or one whose members do not all answer, is made anew.
 */
export async function startClusterLab(options: ClusterLabOptions = {}): Promise<ClusterLab> {
  const { nodes, apps, temporalInMemory, profile, settings = {}, cluster: from = 'joined', progress = silent, ...statefulSet } = options;
  const members = statefulSet.members ?? 3;
  const lab = await startLab({ nodes: nodes ?? members, progress, ...given({ apps, temporalInMemory, profile }) });
  const cluster = new ClusterLab(lab);
  if (from === 'anew' && apps !== 'none') await endUpgrades(lab);
  await progress.step(`LXD cluster of ${members} members in pods`, () => cluster.begin(from, { ...statefulSet, members }));
  if (apps !== 'none') await progress.step('worker of the cluster', () => cluster.configure(settings));
  return cluster;
}

function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** A lab with real nodes, for tests and measurements. `lab` has all that the ordinary one has. */
export class ClusterLab {
  readonly kube: ClusterKube;
  readonly lxd: LxdCluster;
  /** Plays Flux, once it is started: `flux.ensure()`. */
  readonly flux: FluxPart;
  /** The private network of a cluster with `lan: 'members'`: its router, once it is up. */
  readonly lan: LanLab;

  constructor(readonly lab: Lab) {
    this.kube = new ClusterKube(KubeClient.fromKubeconfig(lab.kubeconfigAdmin));
    this.lxd = new LxdCluster(lab.profile, this.kube);
    this.flux = new FluxPart(lab.profile, lab.kubeconfigAdmin);
    this.lan = new LanLab(lab.profile, this.kube, (args) => this.kubectl(args));
  }

  /** The worker may change the cluster, and has it in its configuration. */
  async configure(settings: ClusterSettings): Promise<void> {
    const roles = ['worker.yaml', 'longhorn.yaml'].flatMap((name) => [
      '-f',
      join(projectRoot(), 'deploy', 'chart', 'files', 'clusters', name),
    ]);
    await this.lab.kubectl(['apply', '--server-side', '--force-conflicts', ...roles]);
    writeClusterSettings(this.lab.profile, settings);
    await this.lab.up();
  }

  get memberNames(): string[] {
    return this.lxd.memberNames;
  }

  async begin(from: 'joined' | 'anew', options: StatefulSetOptions): Promise<string> {
    if (from === 'joined') return this.ensure(options);
    await this.lxd.recreate(options);
    return 'formed anew';
  }

  async ensure(options: StatefulSetOptions): Promise<'kept' | 'formed'> {
    const present = (await this.kube.statefulSet())?.spec.replicas;
    if (present !== undefined && present === options.members && (await this.lxd.answersOf(present))) return this.lxd.ensure(options);
    await this.lxd.recreate(options);
    return 'formed';
  }

  /** Becomes what is given; the rest stays as it was applied last. Does not wait for pods. */
  applyStatefulSet(options: StatefulSetOptions): Promise<void> {
    return this.lxd.applyStatefulSet(options);
  }

  /** A new LXD cluster in place of the old one, in seconds. */
  recreate(options: StatefulSetOptions = {}): Promise<void> {
    return this.lxd.recreate(options);
  }

  /** Runs a command in the container of LXD in that pod. */
  exec(pod: string, command: readonly string[]): Promise<string> {
    return this.kubectl(['exec', pod, '-c', CLUSTER.container, '--', ...command]);
  }

  /** In the cluster's namespace. */
  kubectl(args: readonly string[], options: { readonly timeoutMs?: number } = {}): Promise<string> {
    return this.lab.kubectl(['--namespace', CLUSTER.namespace, ...args], { timeoutMs: 60_000, ...options });
  }

  pods(): Promise<Pod[]> {
    return this.kube.pods();
  }

  async pod(name: string): Promise<Pod> {
    const pod = await this.kube.pod(name);
    if (!pod) throw new Error(`there is no pod ${name}`);
    return pod;
  }

  deletePod(name: string): Promise<void> {
    return this.kube.deletePod(name);
  }

  /** As the first member that answers sees them. */
  async members(): Promise<Member[]> {
    let reason: unknown;
    for (const member of this.memberNames) {
      try {
        return await this.lxd.members(member);
      } catch (error) {
        reason = error;
      }
    }
    throw new Error('no member answers', { cause: reason });
  }

  /** All of them Ready, online, and nothing for any of them to wait for. */
  async agreed(timeoutMs: number): Promise<void> {
    const agreed = async () => {
      const members = await this.members();
      return members.length === this.memberNames.length && members.every(({ status }) => status === 'Online');
    };
    await this.lxd.ready(timeoutMs);
    await waitFor('members Online', agreed, { timeoutMs, intervalMs: 200 });
  }

  /** A container on that member that serves HTTP at its pod's address, for as long as the member's pod runs. */
  launchWeb(member: string, options?: { readonly port?: number; readonly name?: string }): Promise<Web> {
    return this.lxd.launchWeb(member, options);
  }

  /** A visitor's request to such a container. */
  async visit({ member, port }: Web): Promise<HttpAnswer> {
    const { podIP } = (await this.pod(member)).status;
    if (podIP === undefined) throw new Error(`pod ${member} has no address`);
    return http(`http://${podIP}:${port}/`, { timeoutMs: 3_000 });
  }

  /** Its pods go on running. Nodes are named as in Kubernetes: `node-1`. */
  async killNodeKubelet(node: string): Promise<void> {
    await this.lab.process(`${node}-kubelet` as `node-${number}-kubelet`).kill('SIGKILL');
  }

  async startNodeKubelet(node: string): Promise<void> {
    await this.lab.process(`${node}-kubelet` as `node-${number}-kubelet`).start();
  }

  /** `down` cuts the node off from everything; `up` joins it again. */
  setNodeLink(node: string, state: 'up' | 'down'): Promise<void> {
    return setNodeLink(this.lab.profile, Number(node.replace('node-', '')), state);
  }

  /** Watches the cluster from now on in a process of its own, until it is stopped. */
  observe(webs: readonly Web[] = []): Promise<Observer> {
    return Observer.start(this.lab.profile, { members: this.memberNames, webs });
  }
}
