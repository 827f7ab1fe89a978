import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Profile } from '../profile.js';
import { nodeAddress, POD_BRIDGE, podSubnetOf } from './network.js';

export interface NodeFiles {
  readonly folder: string;
  readonly sandbox: string;
  readonly containerdRoot: string;
  readonly containerdSocket: string;
  readonly containerdConfig: string;
  readonly networkConfig: string;
  readonly kubeletConfig: string;
  readonly kubeletRoot: string;
  readonly proxyConfig: string;
}

export function nodeFiles({ paths }: Profile, number: number): NodeFiles {
  const folder = join(paths.cluster, `node-${number}`);
  return {
    folder,
    sandbox: join(folder, 'sandbox'),
    containerdRoot: join(folder, 'containerd'),
    containerdSocket: join(folder, 'containerd.sock'),
    containerdConfig: join(folder, 'containerd.toml'),
    networkConfig: join(folder, 'cni', '10-lab.conflist'),
    kubeletConfig: join(folder, 'kubelet.yaml'),
    kubeletRoot: join(folder, 'kubelet'),
    proxyConfig: join(folder, 'kube-proxy.yaml'),
  };
}

export const HEALTH_PORTS = { kubelet: 10_248, proxy: 10_256 } as const;

/** Writes the configurations of containerd, its network plug-ins, kubelet and kube-proxy. */
export function writeNodeFiles(profile: Profile, number: number): void {
  const files = nodeFiles(profile, number);
  mkdirSync(join(files.folder, 'cni'), { recursive: true, mode: 0o711 });
  writeFileSync(files.containerdConfig, containerdToml(files));
  writeFileSync(files.networkConfig, JSON.stringify(cni(profile, number), null, 2));
  writeFileSync(files.kubeletConfig, stringify(kubelet(profile, number)));
  writeFileSync(files.proxyConfig, stringify(proxy(profile, number)));
}

/** Root here lacks CAP_SYS_RESOURCE in many containers and virtual machines: a negative oom_score_adj would be refused. */
function containerdToml({ folder, containerdRoot, containerdSocket }: NodeFiles): string {
  return `version = 2
root = "${containerdRoot}"
state = "/run/containerd"
[grpc]
  address = "${containerdSocket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/lab/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/cni"
`;
}

function cni(profile: Profile, number: number): object {
  const ipam = {
    type: 'host-local',
    dataDir: '/run/cni-ipam',
    ranges: [[{ subnet: podSubnetOf(profile, number) }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  const bridge = { type: 'bridge', bridge: POD_BRIDGE, isGateway: true, ipMasq: false, hairpinMode: true, ipam };
  return { cniVersion: '0.4.0', name: 'lab', plugins: [bridge, { type: 'portmap', capabilities: { portMappings: true } }] };
}

function kubelet(profile: Profile, number: number): object {
  const { folder, containerdSocket } = nodeFiles(profile, number);
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    failCgroupV1: false,
    failSwapOn: false,
    cgroupDriver: 'cgroupfs',
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    authentication: { anonymous: { enabled: false }, webhook: { enabled: false }, x509: { clientCAFile: profile.paths.caFile } },
    authorization: { mode: 'AlwaysAllow' },
    healthzBindAddress: nodeAddress(profile, number),
    healthzPort: HEALTH_PORTS.kubelet,
    clusterDomain: 'cluster.local',
    clusterDNS: [profile.network.nodes.host],
    resolvConf: '',
    podLogsDir: '/var/log/pods',
    volumePluginDir: join(folder, 'volume-plugins'),
    // The disk is the whole machine's.
    evictionHard: { 'imagefs.available': '0%', 'nodefs.available': '0%', 'memory.available': '50Mi' },
    imageGCHighThresholdPercent: 100,
    oomScoreAdj: 0,
    shutdownGracePeriod: '0s',
  };
}

function proxy(profile: Profile, number: number): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    clusterCIDR: profile.network.nodes.podSubnet,
    clientConnection: { kubeconfig: join(profile.paths.kubeconfigs, 'kube-proxy.yaml') },
    healthzBindAddress: `${nodeAddress(profile, number)}:${HEALTH_PORTS.proxy}`,
    // Those settings are the whole machine's.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
}
