import type { PlatformImages } from '../cluster/platform-images.js';
import { LAN, NAMESPACE, ON_NODE, TRAEFIK } from './surroundings.js';

const SIDECAR = 'kubelan';
const PORT = 8181;

/** The stock Traefik in a pod that is on the members' network, with the chart's namespace as all that it reads. */
export function traefik(images: PlatformImages): object[] {
  const lan = onLan(images);
  const { name, namespace, web, websecure, lxd } = TRAEFIK;
  const metadata = { name, namespace, labels: { 'app.kubernetes.io/name': name } };
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name, namespace: NAMESPACE } };
  const read = ['get', 'list', 'watch'];
  return [
    ...lan.objects,
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      ...role,
      kind: 'Role',
      rules: [
        { apiGroups: [''], resources: ['services', 'secrets', 'configmaps'], verbs: read },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: read },
        { apiGroups: ['traefik.io'], resources: ['*'], verbs: read },
      ],
    },
    {
      ...role,
      kind: 'RoleBinding',
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { clusterIP: 'None', selector: metadata.labels, ports: [{ name: 'websecure', port: websecure }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 1,
        selector: { matchLabels: metadata.labels },
        template: {
          metadata: { labels: metadata.labels },
          spec: {
            serviceAccountName: name,
            nodeSelector: ON_NODE,
            terminationGracePeriodSeconds: 1,
            ...lan.pod,
            containers: [
              {
                name,
                image: images.traefik,
                args: traefikArguments(),
                ports: [web, websecure, lxd].map((containerPort) => ({ containerPort })),
                readinessProbe: { httpGet: { path: '/ping', port: 8080 }, periodSeconds: 1 },
                securityContext: { runAsUser: 65_532, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
              },
            ],
          },
        },
      },
    },
  ];
}

function traefikArguments(): string[] {
  return [
    '--providers.kubernetescrd=true',
    `--providers.kubernetescrd.namespaces=${NAMESPACE}`,
    '--providers.kubernetescrd.disableclusterscoperesources=true',
    '--providers.providersThrottleDuration=50ms',
    `--entrypoints.web.address=:${TRAEFIK.web}`,
    `--entrypoints.websecure.address=:${TRAEFIK.websecure}`,
    '--entrypoints.websecure.http.tls=true',
    `--entrypoints.lxd.address=:${TRAEFIK.lxd}`,
    '--ping=true',
    '--ping.entrypoint=traefik',
    '--global.checknewversion=false',
    '--global.sendanonymoususage=false',
  ];
}

/** What puts Traefik's pod on the LAN, as docs/network.md says: a sidecar, its configuration, and leave to see who else is on it. */
function onLan({ repository, tag }: PlatformImages): { readonly objects: object[]; readonly pod: object } {
  const { name, namespace } = TRAEFIK;
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: SIDECAR };
  const roles = [NAMESPACE, namespace].flatMap((where) => [
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: SIDECAR, namespace: where },
      rules: [{ apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] }],
    },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: SIDECAR, namespace: where }, roleRef, subjects },
  ]);
  const config = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: SIDECAR, namespace },
    data: { 'kubelan.yaml': JSON.stringify({ kubernetes: { namespace: NAMESPACE }, lan: LAN }) },
  };
  const sidecar = {
    name: SIDECAR,
    image: `${repository}/kubelan:${tag}`,
    restartPolicy: 'Always',
    args: ['--config', '/etc/webspaces/kubelan.yaml'],
    env: [
      { name: 'WEBSPACES__UNDERLAY__ADDRESS', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'WEBSPACES__ADDRESSES', value: `${TRAEFIK.lan}/16` },
    ],
    startupProbe: { httpGet: { path: '/health', port: PORT }, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 120 },
    securityContext: { runAsUser: 0, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } },
    volumeMounts: [{ name: SIDECAR, mountPath: '/etc/webspaces', readOnly: true }],
  };
  return { objects: [...roles, config], pod: { initContainers: [sidecar], volumes: [{ name: SIDECAR, configMap: { name: SIDECAR } }] } };
}
