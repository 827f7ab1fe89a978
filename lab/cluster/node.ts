import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { certificateUser, writeKubeconfig } from '../control-plane.js';
import { hashFiles } from '../hash.js';
import { http } from '../http.js';
import type { CertificateAuthority } from '../pki.js';
import { LabProcess, type ProcessSpec } from '../process.js';
import type { Profile } from '../profile.js';
import { projectRoot } from '../project.js';
import { Sandbox } from '../sandbox.js';
import type { NodeTools } from '../tools/resolve.js';
import { copyImageStore } from './image-store.js';
import { ensureNodeLink, nodeAddress } from './network.js';
import { HEALTH_PORTS, type NodeFiles, nodeFiles, writeNodeFiles } from './node-files.js';
import { socketAnswers } from './socket.js';

export interface NodeOptions {
  /** From 1. */
  readonly number: number;
  /** How many there are. */
  readonly nodes: number;
}

interface Part {
  readonly command: () => string[];
  readonly configurations: readonly string[];
  readonly healthy: () => Promise<boolean>;
}

/** kube-proxy looks for its node after 1, 2, 4 … 32 seconds; on a busy machine kubelet may have made it just after a look. */
const READY_MS = 120_000;

const nodeName = (number: number) => `node-${number}`;

/** The namespaces of a node, whether it runs or not. */
export function nodeSandbox(profile: Profile, number: number): Sandbox {
  const name = nodeName(number);
  return new Sandbox(profile, { process: name, folder: nodeFiles(profile, number).sandbox, name: `${profile.sandboxName}-${name}` });
}

/** A real node in a sandbox of its own: containerd, kubelet and kube-proxy. One SIGKILL to the sandbox ends them and all pods. */
export class ClusterNode {
  readonly name: string;
  readonly sandbox: Sandbox;
  readonly containerd: LabProcess;
  readonly kubelet: LabProcess;
  readonly proxy: LabProcess;
  private readonly files: NodeFiles;

  constructor(
    private readonly profile: Profile,
    private readonly tools: NodeTools,
    private readonly options: NodeOptions,
  ) {
    const { number } = options;
    this.name = nodeName(number);
    this.files = nodeFiles(profile, number);
    this.sandbox = nodeSandbox(profile, number);
    const health = (port: number) => async () =>
      (await http(`http://${nodeAddress(profile, number)}:${port}/healthz`, { timeoutMs: 2_000 })).status === 200;
    this.containerd = this.part('containerd', {
      command: () => ['containerd', '--config', this.files.containerdConfig],
      configurations: [this.files.containerdConfig, this.files.networkConfig],
      healthy: () => socketAnswers(this.files.containerdSocket),
    });
    this.kubelet = this.part('kubelet', {
      command: () => this.kubeletCommand(),
      configurations: [this.files.kubeletConfig],
      healthy: health(HEALTH_PORTS.kubelet),
    });
    this.proxy = this.part('kube-proxy', {
      command: () => this.proxyCommand(),
      configurations: [this.files.proxyConfig],
      healthy: health(HEALTH_PORTS.proxy),
    });
  }

  /** In the order in which they are started. */
  processes(): LabProcess[] {
    return [this.sandbox.process, this.containerd, this.kubelet, this.proxy];
  }

  /** All that needs no Kubernetes yet: namespaces, network, images, containerd. */
  async prepare(ca: CertificateAuthority, store: string): Promise<void> {
    const { number, nodes } = this.options;
    writeNodeFiles(this.profile, number);
    await this.kubeconfig(ca);
    await copyImageStore(store, this.files.containerdRoot);
    await this.sandbox.process.ensure();
    const sandboxInit = this.sandbox.initPid();
    if (sandboxInit === undefined) throw new Error(`the sandbox of ${this.name} ended`);
    await ensureNodeLink(this.profile, { number, nodes, sandboxInit });
    await this.sandbox.exec(['bash', join(projectRoot(), 'lab', 'cluster', 'node-setup.sh'), this.files.folder]);
    if (!(await this.containerd.healthy())) rmSync(this.files.containerdSocket, { force: true });
    await this.containerd.ensure();
  }

  /** Kubelet and kube-proxy; the node registers itself. */
  async join(): Promise<void> {
    await Promise.all([this.kubelet.ensure(), this.proxy.ensure()]);
  }

  private part(program: string, { command, configurations, healthy }: Part): LabProcess {
    const spec = (): ProcessSpec => ({
      ...this.sandbox.inside(command()),
      becomes: command(),
      recordChild: true,
      inputs: hashFiles(configurations),
    });
    return new LabProcess(this.profile, { name: `${this.name}-${program}`, spec, healthy, readyTimeoutMs: READY_MS });
  }

  private async kubeconfig(ca: CertificateAuthority): Promise<void> {
    const { nodes } = this.profile.network;
    const server = `https://${nodes.host}:${this.profile.ports.kubernetes}`;
    const write = async (name: string, subject: string) => {
      const user = certificateUser(await ca.client(name, subject));
      writeKubeconfig(this.profile, this.profile.paths.caFile, { name, user, server });
    };
    await write(this.name, `/O=system:nodes/CN=system:node:${this.name}`);
    if (this.options.number === 1) await write('kube-proxy', '/CN=system:kube-proxy');
  }

  private kubeletCommand(): string[] {
    const { kubeletConfig, kubeletRoot } = this.files;
    return [
      this.tools.kubelet,
      `--config=${kubeletConfig}`,
      `--kubeconfig=${join(this.profile.paths.kubeconfigs, `${this.name}.yaml`)}`,
      `--root-dir=${kubeletRoot}`,
      `--cert-dir=${join(kubeletRoot, 'pki')}`,
      `--hostname-override=${this.name}`,
      `--node-ip=${nodeAddress(this.profile, this.options.number)}`,
      '--v=1',
    ];
  }

  private proxyCommand(): string[] {
    return [this.tools.kubeProxy, `--config=${this.files.proxyConfig}`, `--hostname-override=${this.name}`];
  }
}
