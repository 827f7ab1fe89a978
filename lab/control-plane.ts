import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { http } from './http.js';
import type { Certificate, CertificateAuthority } from './pki.js';
import { LabProcess } from './process.js';
import type { Profile } from './profile.js';
import type { Tools } from './tools/resolve.js';

/** etcd, kube-apiserver and kube-controller-manager: all of Kubernetes that the platform needs on one machine. Scheduler and nodes: cluster/. */
export class ControlPlane {
  readonly etcd: LabProcess;
  readonly apiServer: LabProcess;
  readonly controllerManager: LabProcess;

  constructor(
    private readonly profile: Profile,
    tools: Tools,
    private readonly ca: CertificateAuthority,
  ) {
    this.etcd = new LabProcess(profile, {
      name: 'etcd',
      spec: () => ({ command: tools.etcd, args: this.etcdArguments() }),
      healthy: async () => (await http(`http://127.0.0.1:${profile.ports.etcd}/health`, { timeoutMs: 2_000 })).status === 200,
      readyTimeoutMs: 15_000,
    });
    this.apiServer = new LabProcess(profile, {
      name: 'kube-apiserver',
      spec: () => ({ command: tools.kubeApiserver, args: this.apiServerArguments() }),
      healthy: async () => (await http(`${profile.urls.kubernetes}/readyz`, { ca: this.ca.authority(), timeoutMs: 2_000 })).status === 200,
      readyTimeoutMs: 60_000,
      stopTimeoutMs: 10_000,
    });
    this.controllerManager = new LabProcess(profile, {
      name: 'kube-controller-manager',
      spec: () => ({ command: tools.kubeControllerManager, args: this.controllerManagerArguments() }),
      healthy: async () => {
        const url = `https://127.0.0.1:${profile.ports.controllerManager}/healthz`;
        return (await http(url, { ca: this.ca.authority(), timeoutMs: 2_000 })).status === 200;
      },
      readyTimeoutMs: 30_000,
    });
  }

  /** The administrator's kubeconfig. */
  get adminKubeconfig(): string {
    return join(this.profile.paths.kubeconfigs, 'admin.yaml');
  }

  async ensure(): Promise<void> {
    await this.certificates();
    mkdirSync(this.profile.paths.etcd, { recursive: true, mode: 0o700 });
    await this.etcd.ensure();
    await this.apiServer.ensure();
    await this.controllerManager.ensure();
  }

  private async certificates(): Promise<void> {
    const local = ['DNS:localhost', 'IP:127.0.0.1'];
    const { hostLink, nodes, serviceSubnet } = this.profile.network;
    const addresses = [hostLink.host, nodes.host, firstAddressOf(serviceSubnet)].map((address) => `IP:${address}`);
    const cluster = ['DNS:kubernetes', 'DNS:kubernetes.default', 'DNS:kubernetes.default.svc', ...addresses];
    await Promise.all([
      this.ca.server('kube-apiserver', [...local, ...cluster]),
      this.ca.server('kube-controller-manager', local),
      this.ca.serviceAccountKey(),
    ]);
    // One identity for all controllers: the default service account exists 4 s earlier than with one account per controller.
    await this.certificateKubeconfig('controller-manager', '/O=system:masters/CN=system:kube-controller-manager');
    await this.certificateKubeconfig('admin', '/O=system:masters/CN=admin');
  }

  private async certificateKubeconfig(name: string, subject: string): Promise<void> {
    const { certFile, keyFile } = await this.ca.client(name, subject);
    writeKubeconfig(this.profile, this.profile.paths.caFile, { name, user: certificateUser({ certFile, keyFile }) });
  }

  private etcdArguments(): string[] {
    const client = `http://127.0.0.1:${this.profile.ports.etcd}`;
    const peer = `http://127.0.0.1:${this.profile.ports.etcdPeer}`;
    // Without fsync: a lab outlives kill -9 of every process, not a power cut.
    const storage = ['--name', 'lab', '--data-dir', this.profile.paths.etcd, '--unsafe-no-fsync', '--log-level', 'warn'];
    const clients = ['--listen-client-urls', client, '--advertise-client-urls', client];
    const peers = ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `lab=${peer}`];
    return [...storage, ...clients, ...peers];
  }

  private apiServerArguments(): string[] {
    const { pki, caFile } = this.profile.paths;
    return [
      `--etcd-servers=http://127.0.0.1:${this.profile.ports.etcd}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${this.profile.ports.kubernetes}`,
      // The endpoint of Service kubernetes must not be a loopback address; nobody here uses it.
      `--advertise-address=${this.profile.network.hostLink.host}`,
      '--endpoint-reconciler-type=none',
      `--tls-cert-file=${join(pki, 'kube-apiserver.crt')}`,
      `--tls-private-key-file=${join(pki, 'kube-apiserver.key')}`,
      `--client-ca-file=${caFile}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${join(pki, 'service-accounts.key')}`,
      `--service-account-signing-key-file=${join(pki, 'service-accounts.key')}`,
      `--service-cluster-ip-range=${this.profile.network.serviceSubnet}`,
      '--authorization-mode=Node,RBAC',
      // For real nodes, where there are some: pods of LXD are privileged, and a node's name is nowhere to be resolved.
      '--allow-privileged=true',
      `--kubelet-client-certificate=${join(pki, 'admin.crt')}`,
      `--kubelet-client-key=${join(pki, 'admin.key')}`,
      '--kubelet-preferred-address-types=InternalIP',
      '--profiling=false',
    ];
  }

  private controllerManagerArguments(): string[] {
    const { pki, caFile } = this.profile.paths;
    return [
      `--kubeconfig=${join(this.profile.paths.kubeconfigs, 'controller-manager.yaml')}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      `--secure-port=${this.profile.ports.controllerManager}`,
      `--tls-cert-file=${join(pki, 'kube-controller-manager.crt')}`,
      `--tls-private-key-file=${join(pki, 'kube-controller-manager.key')}`,
      `--service-account-private-key-file=${join(pki, 'service-accounts.key')}`,
      `--root-ca-file=${caFile}`,
      '--allocate-node-cidrs=false',
      '--pvclaimbinder-sync-period=1s',
      '--profiling=false',
    ];
  }
}

export function certificateUser({ certFile, keyFile }: Certificate): Record<string, string> {
  return {
    'client-certificate-data': readFileSync(certFile).toString('base64'),
    'client-key-data': readFileSync(keyFile).toString('base64'),
  };
}

/** The service `kubernetes` has it. */
export function firstAddressOf(subnet: string): string {
  return subnet.replace(/\.0\/\d+$/, '.1');
}

export interface KubeconfigUser {
  readonly name: string;
  readonly user: Readonly<Record<string, string>>;
  /** Where the API is from there; this machine's loopback unless given. */
  readonly server?: string;
}

/** A kubeconfig that needs no other file, readable by root only; JSON is YAML. */
export function writeKubeconfig(
  profile: Profile,
  caFile: string,
  { name, user, server = profile.urls.kubernetes }: KubeconfigUser,
): string {
  const file = join(profile.paths.kubeconfigs, `${name}.yaml`);
  mkdirSync(profile.paths.kubeconfigs, { recursive: true, mode: 0o700 });
  const ca = readFileSync(caFile).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'lab', cluster: { server, 'certificate-authority-data': ca } }],
    users: [{ name, user }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: name, namespace: 'webspaces' } }],
    'current-context': 'lab',
  };
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  return file;
}
