import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeKubeconfig } from './control-plane.js';
import { run } from './exec.js';
import { filesBelow, hashFiles, sha256 } from './hash.js';
import { KubeClient } from './kube-client.js';
import type { Certificate, CertificateAuthority } from './pki.js';
import { CERT_MANAGER_NAMESPACE, NAMESPACE, type Profile } from './profile.js';
import { projectRoot } from './project.js';
import type { Tools } from './tools/resolve.js';
import { waitFor } from './wait.js';

/** Who gets a kubeconfig of its own, with a token of that service account. */
const NAMESPACES = {
  'webspaces-worker': NAMESPACE,
  'webspaces-gateway': NAMESPACE,
  'webspaces-kuberouter': NAMESPACE,
  'webspaces-kubelan': NAMESPACE,
  traefik: NAMESPACE,
  'cert-manager': CERT_MANAGER_NAMESPACE,
} as const;
export type ServiceAccount = keyof typeof NAMESPACES;
const SERVICE_ACCOUNTS = Object.keys(NAMESPACES) as ServiceAccount[];

const MARKER = `/api/v1/namespaces/${NAMESPACE}/configmaps/lab-applied`;
const TOKEN_SECONDS = 365 * 24 * 3600;

export function kubeconfigOf(profile: Profile, account: ServiceAccount): string {
  return join(profile.paths.kubeconfigs, `${account}.yaml`);
}

/** Applies definitions, roles and the default certificate when their content changed, and gives each account its kubeconfig. */
export async function ensureClusterObjects(
  profile: Profile,
  tools: Tools,
  ca: CertificateAuthority,
  adminKubeconfig: string,
): Promise<void> {
  const admin = KubeClient.fromKubeconfig(adminKubeconfig);
  const tls = await ca.server('sites', [`DNS:${profile.baseDomain}`, `DNS:*.${profile.baseDomain}`]);
  const manifests = manifestFiles(tools);
  const wanted = sha256(hashFiles(manifests), hashFiles([tls.certFile]));
  const marker = await admin.get<{ data?: { hash?: string } }>(MARKER);
  if (marker?.data?.hash !== wanted) {
    await applyManifests(tools, adminKubeconfig, manifests);
    await putTls(admin, NAMESPACE, 'webspaces-default-tls', tls);
    await putTls(admin, CERT_MANAGER_NAMESPACE, 'lab-ca', ca.itself());
    const data = { hash: wanted };
    await put(admin, MARKER, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'lab-applied' }, data });
  }
  await putGatewayEndpoints(profile, admin);
  await Promise.all(SERVICE_ACCOUNTS.map((account) => ensureKubeconfig(profile, admin, account)));
}

function manifestFiles(tools: Tools): string[] {
  const yaml = (folder: string) => filesBelow(join(projectRoot(), folder), (name) => /\.ya?ml$/.test(name));
  return [
    tools.traefikCrds,
    tools.certManagerCrds,
    ...yaml('lab/manifests'),
    ...yaml('deploy/chart/files/crds'),
    ...yaml('deploy/chart/files/rbac'),
    ...yaml('deploy/manifests'),
  ];
}

/** Definitions and namespaces first, then the rest. */
export async function applyManifests(tools: Tools, kubeconfig: string, files: readonly string[]): Promise<void> {
  const options = ['--kubeconfig', kubeconfig, 'apply', '--server-side', '--force-conflicts', '--field-manager=lab'];
  const cache = join(kubeconfig, '..', 'cache');
  mkdirSync(cache, { recursive: true });
  const kubectl = (chosen: readonly string[]) =>
    run(tools.kubectl, [...options, ...chosen.flatMap((file) => ['-f', file])], {
      env: { HOME: cache, KUBECACHEDIR: cache, PATH: '/usr/bin:/bin' },
    });
  // Definitions and the namespace first: what follows is of their kinds and in it.
  const definitions = files.filter((file) => /crds|namespace\.yaml/.test(file));
  await kubectl(definitions);
  const rest = files.filter((file) => !definitions.includes(file));
  if (rest.length === 0) return;
  await waitFor('kinds of the new definitions', async () => (await kubectl(rest)) !== undefined, { timeoutMs: 20_000, intervalMs: 200 });
}

function putTls(admin: KubeClient, namespace: string, name: string, { certFile, keyFile }: Certificate): Promise<void> {
  return put(admin, `/api/v1/namespaces/${namespace}/secrets/${name}`, {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name },
    data: { 'tls.crt': readFileSync(certFile).toString('base64'), 'tls.key': readFileSync(keyFile).toString('base64') },
  });
}

/** Leads Service webspaces-gateway to the process on this machine; an endpoint must not be a loopback address. */
function putGatewayEndpoints({ network, ports }: Profile, admin: KubeClient): Promise<void> {
  const name = 'webspaces-gateway-lab';
  return put(admin, `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices/${name}`, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, labels: { 'kubernetes.io/service-name': 'webspaces-gateway' } },
    addressType: 'IPv4',
    ports: [
      { name: 'http', port: ports.gatewayHttp, protocol: 'TCP' },
      { name: 'tls', port: ports.gatewayTls, protocol: 'TCP' },
    ],
    endpoints: [{ addresses: [network.hostLink.host], conditions: { ready: true } }],
  });
}

async function put(admin: KubeClient, path: string, object: unknown): Promise<void> {
  const { status, body } = await admin.request('PATCH', `${path}?fieldManager=lab&force=true`, object, 'application/apply-patch+yaml');
  if (status >= 300) throw new Error(`Kubernetes answered ${status} to ${path}: ${JSON.stringify(body).slice(0, 300)}`);
}

async function ensureKubeconfig(profile: Profile, admin: KubeClient, account: ServiceAccount): Promise<void> {
  const known = KubeClient.tokenIn(kubeconfigOf(profile, account));
  // A token outlives neither its service account nor the signing key.
  const token = known && (await admin.accepts(known)) ? known : await requestToken(admin, account);
  writeKubeconfig(profile, profile.paths.caFile, { name: account, user: { token } });
}

async function requestToken(admin: KubeClient, account: ServiceAccount): Promise<string> {
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: TOKEN_SECONDS } };
  const path = `/api/v1/namespaces/${NAMESPACES[account]}/serviceaccounts/${account}/token`;
  const { status, body } = await admin.request<{ status?: { token?: string } }>('POST', path, request);
  const token = body.status?.token;
  if (status !== 201 || !token) throw new Error(`Kubernetes answered ${status} to a token request for ${account}`);
  return token;
}
