import { dirname, join } from 'node:path';
import { NAMESPACE } from '../profile.js';
import { projectRoot } from '../project.js';
import { IMAGES } from './images.js';
import { CLUSTER } from './names.js';
import { platformFolders, platformVolumes } from './platform-process.js';

/** The members' private network in the lab: where it is, and who is on it besides the members. */
export const LAN = {
  bridge: 'lxd-lan',
  interface: 'webspaces-lan',
  service: 'lan',
  /** Pod with kubelan and kuberouter. */
  router: 'router',
  /** Pod with kubelan that plays a service of the platform on the network. */
  neighbour: 'neighbour',
  neighbourAddress: '172.24.0.254',
  neighbourAddress6: 'fd24::fe',
  ipv4: { subnet: '172.24.0.0/16', router: '172.24.254.1' },
  ipv6: { subnet: 'fd24::/64', router: 'fd24::1' },
  domain: 'webspace',
  /** DaemonSet, and its Service: another network, of the nodes themselves. */
  nodes: 'lan-nodes',
  nodesInterface: 'nodes-lan',
} as const;

const PORT = { name: 'lan', port: 4789, protocol: 'UDP' };
const ON_LAN = { 'webspaces.netsoc.ie/lan': 'true' };
const SECTION = {
  interface: LAN.interface,
  services: [`${CLUSTER.namespace}/${CLUSTER.service}`, `${CLUSTER.namespace}/${LAN.service}`],
  ipv4: LAN.ipv4,
  ipv6: LAN.ipv6,
  domain: LAN.domain,
};
type Place = 'member' | 'router' | 'neighbour';

/** Of the member's process: which ports it guards. */
export function guardSettings(): { name: string; value: string }[] {
  return Object.entries({
    WEBSPACES__PORTS__BRIDGE: LAN.bridge,
    WEBSPACES__PORTS__EVERY_SECONDS: '1',
    WEBSPACES__LAN__INTERFACE: LAN.interface,
    WEBSPACES__LAN__IPV6__SUBNET: LAN.ipv6.subnet,
    WEBSPACES__LAN__IPV6__ROUTER: LAN.ipv6.router,
  }).map(([name, value]) => ({ name, value }));
}

const OF_PLACE: Readonly<Record<Place, object>> = {
  member: { bridge: LAN.bridge },
  router: {},
  neighbour: { addresses: [`${LAN.neighbourAddress}/16`, `${LAN.neighbourAddress6}/64`] },
};

/** Keeps a pod on the network. */
export function kubelanContainer(place: Place): object {
  const config = { kubernetes: { namespace: CLUSTER.namespace }, lan: SECTION, ...OF_PLACE[place] };
  return platformContainer('kubelan', config);
}

function kuberouterContainer(resolver: string): object {
  const config = {
    kubernetes: { namespace: NAMESPACE },
    lan: SECTION,
    stateFolder: '/var/lib/webspaces-kuberouter',
    dns: { upstream: [resolver] },
  };
  return platformContainer('kuberouter', config);
}

/** A process of ours in an image with the programs that it runs; its configuration is part of its command. */
function platformContainer(app: 'kubelan' | 'kuberouter', config: object): object {
  const root = projectRoot();
  const start = `printf %s "$CONFIGURATION" > /tmp/${app}.yaml && exec ${process.execPath} ${join(root, 'dist', 'apps', app, 'main.js')} --config /tmp/${app}.yaml`;
  return {
    name: app,
    image: IMAGES.lxd,
    command: ['/bin/sh', '-c', start],
    workingDir: root,
    env: [
      { name: 'PATH', value: `${dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin` },
      { name: 'CONFIGURATION', value: JSON.stringify(config) },
    ],
    securityContext: { capabilities: { add: ['NET_ADMIN', 'NET_RAW'] } },
    volumeMounts: platformFolders().map(({ name, path }) => ({ name, mountPath: path, readOnly: true })),
  };
}

/** What kubelan and kuberouter may read, and the service that finds the pods that are no members. */
export function lanSurroundings(): object[] {
  const account = { kind: 'ServiceAccount', name: CLUSTER.statefulSet, namespace: CLUSTER.namespace };
  const role = (name: string, namespace: string, rules: readonly object[]) => [
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name, namespace }, rules },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name, namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [account],
    },
  ];
  const read = ['get', 'list', 'watch'];
  return [
    ...role('lab-kubelan', CLUSTER.namespace, [{ apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: read }]),
    ...role('lab-kuberouter', NAMESPACE, [{ apiGroups: ['webspaces.netsoc.ie'], resources: ['webspaces'], verbs: read }]),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: LAN.service, namespace: CLUSTER.namespace },
      spec: { clusterIP: 'None', publishNotReadyAddresses: true, selector: ON_LAN, ports: [PORT] },
    },
  ];
}

/** The router's pod, and that of a neighbour; `resolver` is asked for names of the outside. */
export function lanPods(resolver: string): object[] {
  const forwards = 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding';
  const prepare = { name: 'forwarding', image: IMAGES.lxd, command: ['/bin/sh', '-c', forwards], securityContext: { privileged: true } };
  return [
    pod(LAN.router, { initContainers: [prepare], containers: [kubelanContainer('router'), kuberouterContainer(resolver)] }),
    pod(LAN.neighbour, { containers: [kubelanContainer('neighbour')] }),
  ];
}

const KUBELAN_READY = { httpGet: { path: '/health/ready', port: 8181 }, periodSeconds: 1 };

/** Kubelan in the network namespace of each node. */
export function lanOfNodes(): object[] {
  const metadata = { name: LAN.nodes, namespace: CLUSTER.namespace };
  const labels = { app: LAN.nodes };
  const lan = { interface: LAN.nodesInterface, services: [LAN.nodes], vni: 77 };
  const kubelan = platformContainer('kubelan', { kubernetes: { namespace: CLUSTER.namespace }, lan, keepInterface: false });
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { clusterIP: 'None', publishNotReadyAddresses: true, selector: labels, ports: [PORT] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata,
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { ...POD, hostNetwork: true, containers: [{ ...kubelan, readinessProbe: KUBELAN_READY }] },
        },
      },
    },
  ];
}

const POD = { serviceAccountName: CLUSTER.statefulSet, terminationGracePeriodSeconds: 5, volumes: platformVolumes() };

function pod(name: string, spec: object): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: CLUSTER.namespace, labels: ON_LAN },
    spec: { ...POD, ...spec },
  };
}

/** What kuberouter learns of a webspace: which address is whose. */
export function reservation(name: string, address: string): object {
  return {
    apiVersion: 'webspaces.netsoc.ie/v1alpha1',
    kind: 'Webspace',
    metadata: { name, namespace: NAMESPACE, labels: { 'webspaces.netsoc.ie/webspace': name } },
    spec: {
      uid: '0197f5d0-0000-7000-8000-000000000001',
      owner: { id: '1', username: name },
      image: { fingerprint: '0'.repeat(64) },
      hosts: [],
      http: { port: 80 },
      address,
    },
  };
}
