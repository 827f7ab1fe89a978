import { run, tryRun } from '../exec.js';
import type { Profile } from '../profile.js';
import { waitFor } from '../wait.js';
import { type ClusterKube, isReady, type Pod } from './kube.js';
import { LAN, lanPods, reservation } from './lan.js';

/** An address of the outside: the host's own for as long as the router is there, so that no packet to it leaves the machine. */
export const OUTSIDE = '198.51.100.10';

/** The private network beside the lab's LXD cluster: its router, a neighbour on it, and an imitated outside. */
export class LanLab {
  constructor(
    private readonly profile: Profile,
    private readonly kube: ClusterKube,
    private readonly kubectl: (args: readonly string[]) => Promise<string>,
  ) {}

  async up(): Promise<void> {
    await run('ip', ['address', 'replace', `${OUTSIDE}/32`, 'dev', this.profile.network.nodes.bridge]);
    await this.kube.apply(lanPods(OUTSIDE));
    for (const name of [LAN.router, LAN.neighbour]) {
      const ready = async () => {
        const pod = await this.kube.pod(name);
        return pod !== undefined && isReady(pod);
      };
      await waitFor(`pod ${name} Ready`, ready, { timeoutMs: 120_000, intervalMs: 200 });
    }
    await waitFor('the router serving', async () => (await this.routes()).includes(`${LAN.ipv4.router}/`), {
      timeoutMs: 60_000,
      intervalMs: 500,
    });
  }

  async down(): Promise<void> {
    for (const name of [LAN.router, LAN.neighbour]) await this.kube.deletePod(name, { graceSeconds: 1 });
    await tryRun('ip', ['address', 'del', `${OUTSIDE}/32`, 'dev', this.profile.network.nodes.bridge]);
  }

  /** That address is that webspace's from now on. */
  reserve(name: string, address: string): Promise<void> {
    return this.kube.apply([reservation(name, address)]);
  }

  /** Runs a command in a container of a pod: by default that of kubelan. */
  exec(pod: string, command: readonly string[], container = 'kubelan'): Promise<string> {
    return this.kubectl(['exec', pod, '-c', container, '--', ...command]);
  }

  pod(name: string): Promise<Pod | undefined> {
    return this.kube.pod(name);
  }

  /** Addresses on the router's interface of the network. */
  private async routes(): Promise<string> {
    return this.exec(LAN.router, ['ip', '-o', 'address', 'show', 'dev', LAN.interface]);
  }

  /** Addresses of pods to which the router floods frames. */
  async peersOfRouter(): Promise<string[]> {
    const text = await this.exec(LAN.router, ['bridge', '-j', 'fdb', 'show', 'dev', LAN.interface]);
    return (JSON.parse(text) as { dst?: string }[]).flatMap(({ dst }) => dst ?? []);
  }
}
