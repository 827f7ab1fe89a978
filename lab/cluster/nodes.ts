import { Resolver } from 'node:dns/promises';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { certificateUser, writeKubeconfig } from '../control-plane.js';
import { filesBelow, hashFiles } from '../hash.js';
import { http } from '../http.js';
import { KubeClient } from '../kube-client.js';
import type { CertificateAuthority } from '../pki.js';
import { LabProcess } from '../process.js';
import type { Profile } from '../profile.js';
import type { Progress } from '../progress.js';
import { projectRoot } from '../project.js';
import { nodesRelayProcess } from '../relay.js';
import type { NodeTools } from '../tools/resolve.js';
import { waitFor } from '../wait.js';
import { imageStore } from './image-store.js';
import { allowWatches } from './machine.js';
import { ensureNodesBridge } from './network.js';
import { ClusterNode } from './node.js';

const DNS_PORT = 53;

/** Real nodes for the lab's Kubernetes, with what pods need of a cluster: a scheduler, names, and the way to the API. */
export class ClusterNodes {
  readonly nodes: readonly ClusterNode[];
  readonly scheduler: LabProcess;
  readonly dns: LabProcess;
  readonly relay: LabProcess;

  constructor(
    private readonly profile: Profile,
    tools: NodeTools,
    private readonly ca: CertificateAuthority,
    count: number,
  ) {
    this.nodes = Array.from({ length: count }, (_, i) => new ClusterNode(profile, tools, { number: i + 1, nodes: count }));
    this.scheduler = schedulerProcess(profile, tools, ca);
    this.dns = clusterDnsProcess(profile);
    this.relay = nodesRelayProcess(profile);
  }

  /** In the order in which they are started. */
  processes(): LabProcess[] {
    return [this.scheduler, this.relay, this.dns, ...this.nodes.flatMap((node) => node.processes())];
  }

  /** Beside the start of Kubernetes: whatever does not need it. */
  async prepare(progress: Progress): Promise<void> {
    mkdirSync(this.profile.paths.cluster, { recursive: true, mode: 0o711 });
    allowWatches();
    const store = await progress.step('images of pods', () => imageStore(progress.note));
    await ensureNodesBridge(this.profile);
    await progress.step(`${this.nodes.length} nodes: sandboxes, network, containerd`, async () => {
      await Promise.all(this.nodes.map((node) => node.prepare(this.ca, store)));
    });
  }

  /** Once Kubernetes answers; returns when every node is Ready. */
  async join(progress: Progress, adminKubeconfig: string): Promise<void> {
    const admin = KubeClient.fromKubeconfig(adminKubeconfig);
    await Promise.all([
      this.relay.ensure(),
      progress.step('scheduler', () => this.ensureScheduler()),
      this.dns.ensure(),
      putApiEndpoints(this.profile, admin),
    ]);
    await progress.step(`${this.nodes.length} nodes: kubelet, kube-proxy`, async () => {
      await Promise.all(this.nodes.map((node) => node.join()));
    });
    await progress.step('nodes Ready', () => this.ready(admin));
  }

  private async ensureScheduler(): Promise<string> {
    const user = certificateUser(await this.ca.client('kube-scheduler', '/CN=system:kube-scheduler'));
    writeKubeconfig(this.profile, this.profile.paths.caFile, { name: 'scheduler', user });
    await this.ca.server('kube-scheduler-server', ['DNS:localhost', 'IP:127.0.0.1']);
    return this.scheduler.ensure();
  }

  private async ready(admin: KubeClient): Promise<void> {
    const names = this.nodes.map(({ name }) => name);
    const all = async () => {
      const list = await admin.get<{ items: readonly NodeObject[] }>('/api/v1/nodes');
      const ready = (list?.items ?? []).filter(isReady).map(({ metadata }) => metadata.name);
      return names.every((name) => ready.includes(name));
    };
    await waitFor(`nodes ${names.join(', ')} Ready`, all, { timeoutMs: 90_000, intervalMs: 100 });
  }
}

interface NodeObject {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

function isReady({ status }: NodeObject): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

function schedulerProcess(profile: Profile, tools: NodeTools, ca: CertificateAuthority): LabProcess {
  const { pki, kubeconfigs } = profile.paths;
  const args = [
    `--kubeconfig=${join(kubeconfigs, 'scheduler.yaml')}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--secure-port=${profile.ports.scheduler}`,
    `--tls-cert-file=${join(pki, 'kube-scheduler-server.crt')}`,
    `--tls-private-key-file=${join(pki, 'kube-scheduler-server.key')}`,
    '--profiling=false',
  ];
  return new LabProcess(profile, {
    name: 'kube-scheduler',
    spec: () => ({ command: tools.kubeScheduler, args }),
    healthy: async () => {
      const url = `https://127.0.0.1:${profile.ports.scheduler}/healthz`;
      return (await http(url, { ca: ca.authority(), timeoutMs: 2_000 })).status === 200;
    },
    readyTimeoutMs: 30_000,
  });
}

function clusterDnsProcess(profile: Profile): LabProcess {
  const folder = join(projectRoot(), 'dist', 'lab', 'cluster', 'dns');
  const { host } = profile.network.nodes;
  const args = [join(folder, 'main.js'), host, String(DNS_PORT), join(profile.paths.kubeconfigs, 'admin.yaml')];
  return new LabProcess(profile, {
    name: 'dns-nodes',
    spec: () => ({
      command: process.execPath,
      args,
      cwd: projectRoot(),
      inputs: hashFiles(filesBelow(folder, (name) => name.endsWith('.js'))),
    }),
    healthy: async () => {
      const resolver = new Resolver({ timeout: 1_000, tries: 1 });
      resolver.setServers([host]);
      return (await resolver.resolve4('kubernetes.default.svc.cluster.local')).length === 1;
    },
    readyTimeoutMs: 15_000,
  });
}

/** Leads the service `kubernetes` to the relay: on this machine the API listens on the loopback only. */
async function putApiEndpoints({ network, ports }: Profile, admin: KubeClient): Promise<void> {
  const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes-lab?fieldManager=lab&force=true';
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'kubernetes-lab', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    ports: [{ name: 'https', port: ports.kubernetes, protocol: 'TCP' }],
    endpoints: [{ addresses: [network.nodes.host], conditions: { ready: true } }],
  };
  const { status, body } = await admin.request('PATCH', path, slice, 'application/apply-patch+yaml');
  if (status >= 300) throw new Error(`Kubernetes answered ${status} to ${path}: ${JSON.stringify(body).slice(0, 300)}`);
}
