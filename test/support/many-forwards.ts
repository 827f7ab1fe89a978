import { type GatewayPortsBeside, gatewayPortsUrl, writeRouterKubeconfig } from '#lab/gateway-ports.js';
import type { Lab } from '#lab/harness.js';
import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import type { PortForward } from '#libs/contracts/operations.js';
import { LABELS, type Phase } from '#libs/contracts/webspaces-api.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { inTurns } from './members.js';

/** Of its own, so that no sweep takes its webspaces, which have no instance, for left over. */
const NAMESPACE = 'many-forwards';
export const EACH = 64;
const FIRST_PORT = 49_152;
const LANES = 16;

/** `Webspace` objects without any instance, each with as many forwards as one may have, in turn TCP and UDP; all ports of the default range with 256. */
export class ManyForwards {
  readonly #kube: KubernetesClient;

  private constructor(
    readonly lab: Lab,
    readonly sections: object,
  ) {
    this.#kube = new KubernetesClient({ kubeconfig: lab.kubeconfigAdmin, namespace: NAMESPACE });
  }

  static async open(lab: Lab): Promise<ManyForwards> {
    await lab.kubectl(['create', 'namespace', NAMESPACE]).catch((error: unknown) => {
      if (!/AlreadyExists/.test(String(error))) throw error;
    });
    const kubeconfig = writeRouterKubeconfig(lab.profile, lab.kubeconfigAdmin);
    const many = new ManyForwards(lab, { kubernetes: { kubeconfig, namespace: NAMESPACE } });
    await many.removeAll();
    return many;
  }

  async close(): Promise<void> {
    await this.removeAll();
    await this.#kube.close();
    await this.lab.kubectl(['delete', 'namespace', NAMESPACE, '--wait=false']);
  }

  portsOf(index: number): PortForward[] {
    return Array.from({ length: EACH }, (_, i) => {
      const protocol = i % 4 === 3 ? 'udp' : 'tcp';
      return { protocol, external: FIRST_PORT + index * EACH + i, internal: 80 } as PortForward;
    });
  }

  /** So many, all off. */
  async make(count: number): Promise<void> {
    await inTurns(indexes(count), LANES, async (index) => {
      await this.#kube.create('webspace', {
        metadata: { name: nameOf(index), labels: { [LABELS.webspace]: nameOf(index) } },
        spec: {
          uid: `many-${index}`,
          owner: { id: String(index), username: nameOf(index) },
          image: { fingerprint: 'none' },
          address: `10.255.${Math.floor(index / 250)}.${1 + (index % 250)}`,
          hosts: [],
          http: { port: 80, startupDelaySeconds: 0, sniPassthrough: false },
          ports: this.portsOf(index),
        },
      });
      await this.phase(index, 'stopped');
    });
  }

  async phase(index: number, phase: Phase): Promise<void> {
    await this.#kube.apply('webspace', { metadata: { name: nameOf(index) }, status: { phase } }, { subresource: 'status' });
  }

  async phases(first: number, end: number, phase: Phase): Promise<void> {
    await inTurns(indexes(end).slice(first), LANES, (index) => this.phase(index, phase));
  }

  async remove(first: number, end: number): Promise<void> {
    await inTurns(indexes(end).slice(first), LANES, async (index) => {
      await this.#kube.delete('webspace', nameOf(index), {});
    });
  }

  async removeAll(): Promise<void> {
    const objects = await this.#kube.list('webspace', { labelSelector: LABELS.webspace });
    await inTurns(objects, LANES, async ({ metadata }) => {
      await this.#kube.delete('webspace', metadata.name, {});
    });
  }

  /** Sockets that listen at a port of the range in the router, as the system counts them. */
  async listeners(): Promise<number> {
    const lines = (await this.lab.routerExec(['ss', '-Hltun'])).split('\n');
    return lines.filter((line) => Number(/:(\d+)\s+\S+:\*/.exec(line)?.[1] ?? 0) >= FIRST_PORT).length;
  }

  /** Gives how long it took until there were exactly so many. */
  async listenersBecome(count: number, begun = performance.now()): Promise<number> {
    const there = async () => {
      const now = await this.listeners();
      if (now !== count) throw new Error(`${now} now`);
      return true;
    };
    await waitFor(`${count} listeners`, there, { timeoutMs: 120_000, intervalMs: 100 });
    return performance.now() - begun;
  }
}

/** A gauge of a gateway of forwarded ports, without `webspaces_gateway_ports_`. */
export async function gaugeOf(lab: Lab, gateway: GatewayPortsBeside | undefined, name: string): Promise<number> {
  const { body } = await http(`${gateway?.url ?? gatewayPortsUrl(lab.profile)}/metrics`, { timeoutMs: 10_000 });
  const value = new RegExp(`^webspaces_gateway_ports_${name} (\\S+)$`, 'm').exec(body)?.[1];
  if (value === undefined) throw new Error(`there is no gauge ${name}`);
  return Number(value);
}

function indexes(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function nameOf(index: number): string {
  return `ws-u9${String(index).padStart(6, '0')}`;
}
