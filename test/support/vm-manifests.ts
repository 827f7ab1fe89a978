import { join } from 'node:path';
import { IMAGES } from '#lab/cluster/images.js';
import { platformFolders, platformVolumes } from '#lab/cluster/platform-process.js';
import { projectRoot } from '#lab/project.js';
import { AS_PID_1, OWN, ours, STORAGE } from './lxd8s-manifests.js';

export interface VmOptions {
  readonly accelerator: 'kvm' | 'tcg';
  /** As `lab/vm` made them; the same paths in the pod. */
  readonly qemu: string;
  readonly guest: string;
  readonly machine?: 'microvm' | 'q35';
  /** In it are each member's `<member>`, and `storage/<member>`. */
  readonly folder: string;
  readonly replicas?: number;
  /** Whether the machines are on the members' network; without it a pod needs no capability at all. */
  readonly lan: 'bridged' | 'none';
}

const LABELS = { app: 'lxd8s' };
/** The pod's own end of the members' network. */
export const LAN = { bridge: 'lxd-lan', address: '10.66.0.1/24', container: '10.66.0.5' } as const;
export const MEMORY = { limit: '1400Mi', share: '50%', bytes: 700 * 2 ** 20 } as const;
/** One pool, a folder of the machine's own disk; `config` and `devices` in YAML's short form. */
export const folderPool = (config: string, devices = ''): string => `
config: {images.auto_update_interval: 0${config && `, ${config}`}}
storage_pools:
- {name: default, driver: dir}
profiles:
- name: default
  devices: {root: {type: disk, pool: default, path: /}${devices && `, ${devices}`}}
`;
/** Variable with the pod's name. */
const POD = 'POD';
const NAME = { name: POD, valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } };

/** As the chart has it. */
function unprivileged(lan: VmOptions['lan']): object {
  return {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'], ...(lan === 'bridged' ? { add: ['NET_ADMIN'] } : {}) },
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

/** Members in machines of their own, in pods that have at most NET_ADMIN. */
export function vmStatefulSet(options: VmOptions): object {
  const { namespace, statefulSet: name } = OWN;
  const { qemu, guest, folder: own, replicas = 1, lan } = options;
  const folder = (volume: string, path: string) => ({ name: volume, hostPath: { path, type: 'DirectoryOrCreate' } });
  const token = { serviceAccountToken: { audience: 'webspaces-lxd8s', path: 'token', expirationSeconds: 3600 } };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, namespace },
    spec: {
      serviceName: name,
      replicas,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      selector: { matchLabels: LABELS },
      template: {
        metadata: { labels: LABELS },
        spec: {
          serviceAccountName: 'webspaces-lxd8s',
          terminationGracePeriodSeconds: 90,
          initContainers: lan === 'bridged' ? [bridge()] : [],
          containers: [member(options), endpoint(options)],
          volumes: [
            ...platformVolumes(),
            folder('state', own),
            folder('qemu', qemu),
            folder('guest', guest),
            { name: 'tun', hostPath: { path: '/dev/net/tun', type: 'CharDevice' } },
            { name: 'run', emptyDir: { medium: 'Memory' } },
            { name: 'home', emptyDir: {} },
            { name: 'joins', projected: { sources: [token] } },
            { name: 'preseed', configMap: { name: OWN.preseed } },
            { name: 'console', secret: { secretName: OWN.console } },
          ],
        },
      },
    },
  };
}

/** In the place of kubelan, which brings the bridge. */
function bridge(): object {
  const script = `ip link add ${LAN.bridge} type bridge && ip address add ${LAN.address} dev ${LAN.bridge} && ip link set ${LAN.bridge} up`;
  return { name: 'bridge', image: IMAGES.lxd, command: ['bash', '-c', script], securityContext: unprivileged('bridged') };
}

/** Of the StatefulSet's one folder each member sees its own part. */
function ofMember({ env = [], volumeMounts = [], ...container }: { env?: object[]; volumeMounts?: { name: string }[] }): object {
  const mounts = volumeMounts.map((mount) => (mount.name === 'state' ? { subPathExpr: `$(${POD})`, ...mount } : mount));
  return { ...container, env: [NAME, ...env], volumeMounts: mounts };
}

function member({ accelerator, machine = 'microvm', qemu, guest, lan }: VmOptions): object {
  const ask = (path: string) => ({ httpGet: { path, port: 9797 } });
  const entry = join(projectRoot(), 'dist', 'apps', 'lxd8s', 'member', 'main.js');
  // Without KVM each question to LXD costs its machine a tenth of a second.
  const slow = accelerator === 'tcg';
  const node = platformFolders().find(({ name }) => name === 'node')?.path ?? '';
  return ofMember(
    ours(
      {
        name: 'member',
        command: ['bash', '-c', AS_PID_1, 'pid-1', node, entry],
        securityContext: unprivileged(lan),
        resources: { limits: { memory: MEMORY.limit } },
        startupProbe: { ...ask('/startup'), periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 300 },
        livenessProbe: { ...ask('/live'), periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 3 },
        readinessProbe: { ...ask('/ready'), periodSeconds: 1, timeoutSeconds: 2 },
        volumeMounts: [
          { name: 'state', mountPath: STORAGE, subPathExpr: `storage/$(${POD})` },
          { name: 'qemu', mountPath: qemu, readOnly: true },
          { name: 'guest', mountPath: guest, readOnly: true },
          { name: 'tun', mountPath: '/dev/net/tun' },
          { name: 'run', mountPath: '/run/lxd8s-vm' },
          { name: 'home', mountPath: '/root' },
          { name: 'joins', mountPath: '/var/run/secrets/webspaces-lxd8s', readOnly: true },
          { name: 'preseed', mountPath: '/etc/lxd8s/preseed', readOnly: true },
          { name: 'console', mountPath: '/etc/lxd8s/console', readOnly: true },
        ],
      },
      {
        MEMBER: `$(${POD})`,
        DOMAIN: OWN.domain,
        RUNTIME: 'vm',
        VOLUMES__STORAGE: STORAGE,
        VM__ACCELERATOR: accelerator,
        VM__MACHINE: machine,
        // A busy machine of the tests needs long for it.
        VM__PROBE_SECONDS: slow ? '120' : '15',
        VM__MEMORY: MEMORY.share,
        VM__CPUS: '1',
        VM__DISK: '2GiB',
        VM__STORAGE_DISK: '2GiB',
        VM__QEMU: join(qemu, 'qemu-system-x86_64'),
        VM__GUEST: guest,
        ...(lan === 'bridged' ? { VM__LAN__BRIDGE: LAN.bridge } : {}),
        STOP__GRACE_SECONDS: '90',
        STOP__RESERVE_SECONDS: '30',
        PRESEED_FILE: '/etc/lxd8s/preseed/preseed.yaml',
        CONSOLE__PASSWORD_FILE: '/etc/lxd8s/console/password',
        MEMORY__MIN_FREE_BYTES: '1000000',
        EVERY_SECONDS: slow ? '10' : '2',
        STATE_FOR: 'anyone',
      },
    ),
  );
}

function endpoint({ accelerator }: VmOptions): object {
  const entry = join(projectRoot(), 'dist', 'apps', 'lxd8s', 'main.js');
  return ofMember(
    ours(
      { name: 'endpoint', command: [process.execPath, entry] },
      {
        LXD__EVERY_SECONDS: accelerator === 'tcg' ? '3' : '1',
        LXD__DEAD_SECONDS: '60',
        LXD__TIMEOUT_SECONDS: '5',
        LEASE__EVERY_SECONDS: '1',
        MEMBER__URL: 'http://127.0.0.1:9798',
      },
    ),
  );
}
