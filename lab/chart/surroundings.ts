import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Profile } from '../profile.js';

/** Where the lab installs the chart. */
export const NAMESPACE = 'platform';
export const BASE_DOMAIN = 'chart.test';
export const TRAEFIK = { name: 'traefik', namespace: 'traefik', web: 8000, websecure: 8443 } as const;
/** The only one with the images of the platform. */
export const NODE = 1;
const ON_NODE = { 'kubernetes.io/hostname': `node-${NODE}` };
/** Selects what {@link volume} makes. */
export const VOLUMES = 'app=webspaces-chart';
/** Whom the chart's pods run as. */
const USER = 1000;

export function namespaces(): object[] {
  return [NAMESPACE, TRAEFIK.namespace].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
}

/** What a claim of the chart is bound to: a folder of the lab that the pods may write to. */
export function volume(profile: Profile, claim: string, storage: string): object {
  const path = join(profile.paths.cluster, 'chart', claim);
  mkdirSync(path, { recursive: true });
  // Kubelet does not give a folder of its node to a pod's group.
  chownSync(path, USER, USER);
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `${profile.name}-chart-${claim}`, labels: { app: VOLUMES.slice('app='.length) } },
    spec: {
      capacity: { storage },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'manual',
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path, type: 'Directory' },
      claimRef: { namespace: NAMESPACE, name: claim },
    },
  };
}

/** The stock Traefik in a pod, with the chart's namespace as all that it reads. */
export function traefik(image: string): object[] {
  const { name, namespace, web, websecure } = TRAEFIK;
  const metadata = { name, namespace, labels: { 'app.kubernetes.io/name': name } };
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name, namespace: NAMESPACE } };
  const read = ['get', 'list', 'watch'];
  return [
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
            containers: [
              {
                name,
                image,
                args: traefikArguments(),
                ports: [{ containerPort: web }, { containerPort: websecure }],
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
    '--ping=true',
    '--ping.entrypoint=traefik',
    '--global.checknewversion=false',
    '--global.sendanonymoususage=false',
  ];
}

export interface ValuesOptions {
  readonly images: { readonly repository: string; readonly tag: string; readonly temporal: string };
  readonly lxdUrl: string;
  readonly network: string;
  readonly addressRange: { readonly from: string; readonly to: string };
}

/** One of each process, on the node that has the images; the chart's defaults for all else. */
export function values({ images, lxdUrl, network, addressRange }: ValuesOptions): object {
  const one = { replicas: 1 };
  return {
    image: { repository: images.repository, tag: images.tag },
    definitions: { install: false },
    platform: { baseDomain: BASE_DOMAIN, network, addressRange, defaultTlsSecret: 'tls-sites' },
    lxd: { url: lxdUrl },
    identity: {
      adapter: 'local',
      local: { keyFile: '/run/webspaces/identity/identity.key', usersFile: '/run/webspaces/identity/users.json' },
    },
    secrets: { identity: 'webspaces-identity' },
    temporal: { devServer: { enabled: true, image: images.temporal, storageClass: 'manual' } },
    staging: { accessMode: 'ReadWriteOnce', size: '8Gi', storageClass: 'manual' },
    traefik: { namespace: TRAEFIK.namespace, entryPoints: [`${TRAEFIK.name}.${TRAEFIK.namespace}.svc:${TRAEFIK.websecure}`] },
    api: { ...one, host: `api.${BASE_DOMAIN}`, tlsSecret: 'tls-sites' },
    worker: one,
    gateway: one,
    nodeSelector: ON_NODE,
  };
}
