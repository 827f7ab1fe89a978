import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { configFile, type SampleUser, writeAppFiles } from '../apps.js';
import type { ClusterLab } from '../cluster/harness.js';
import { CLUSTER } from '../cluster/names.js';
import { nodeAddress } from '../cluster/network.js';
import { givePlatformImages } from '../cluster/platform-images.js';
import { type HttpAnswer, http } from '../http.js';
import { buildImage, importImage } from '../image.js';
import { CertificateAuthority } from '../pki.js';
import { type Progress, silent } from '../progress.js';
import { waitFor } from '../wait.js';
import { CHART, Helm } from './helm.js';
import { BASE_DOMAIN, NAMESPACE, NODE, namespaces, TRAEFIK, traefik, VOLUMES, values, volume } from './surroundings.js';

const RELEASE = 'webspaces';
const LXD = { network: 'lxdbr0', subnet: '10.88.0.0/24', addressRange: { from: '10.88.0.100', to: '10.88.0.200' } } as const;
const READY_MS = 180_000;

/** The platform in pods, installed by its chart with a real `helm` on the lab's nodes, beside a Traefik in a pod. */
export class ChartLab {
  readonly helm: Helm;
  private readonly folder: string;

  constructor(readonly cluster: ClusterLab) {
    this.folder = join(cluster.lab.profile.paths.cluster, 'chart');
    this.helm = new Helm(join(this.folder, 'helm'), cluster.lab.kubeconfigAdmin, NAMESPACE);
  }

  /** From the images to pods that are Ready and may make webspaces. Safe to call again. */
  async install(progress: Progress = silent): Promise<void> {
    const { profile } = this.cluster.lab;
    const images = await progress.step('images of the platform', () => givePlatformImages(profile, [NODE], progress.note));
    await progress.step('Secrets, volumes, Traefik, trust in LXD', () => this.surroundings(images.traefik));
    const lxdUrl = `https://${CLUSTER.service}.${CLUSTER.namespace}.svc:8443`;
    const file = join(this.folder, 'values.yaml');
    writeFileSync(file, stringify(values({ images, lxdUrl, network: LXD.network, addressRange: LXD.addressRange })));
    await progress.step('helm upgrade --install', () => this.helm.run(['upgrade', '--install', RELEASE, CHART, '--values', file]));
    await progress.step('pods Ready', () => this.ready());
    const allowed = async () => (await this.kubectl(['get', 'configmap', 'claims-epoch', '--ignore-not-found', '--output', 'name'])) !== '';
    await progress.step('the first sweep', () => waitFor('new claims to be allowed', allowed, { timeoutMs: 60_000, intervalMs: 200 }));
  }

  /** Pods, objects, volumes and ways of it; the images stay on their node. */
  async remove(): Promise<void> {
    const { lab } = this.cluster;
    await this.helm.run(['uninstall', RELEASE, '--ignore-not-found']);
    const gone = ['--ignore-not-found', '--timeout=60s'];
    await lab.kubectl(['delete', 'namespace', NAMESPACE, TRAEFIK.namespace, ...gone], { timeoutMs: 90_000 });
    await lab.kubectl(['delete', 'persistentvolume', '--selector', VOLUMES, ...gone], { timeoutMs: 90_000 });
    for (const { sandbox } of lab.stack.nodes?.nodes ?? []) await sandbox.exec(['ip', 'route', 'flush', LXD.subnet]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  kubectl(args: readonly string[]): Promise<string> {
    return this.cluster.lab.kubectl(['--namespace', NAMESPACE, ...args], { timeoutMs: 90_000 });
  }

  /** `name` of each pod of the release, with whether it is Ready. */
  async pods(): Promise<ReadonlyMap<string, boolean>> {
    const ready = '{.status.conditions[?(@.type=="Ready")].status}';
    const text = await this.kubectl(['get', 'pods', '--output', `jsonpath={range .items[*]}{.metadata.name} ${ready}{"\\n"}{end}`]);
    const lines = text.split('\n').filter(Boolean);
    return new Map(lines.map((line) => [line.split(' ')[0] ?? '', line.endsWith(' True')]));
  }

  async ready(): Promise<void> {
    const ready = async () => {
      const pods = await this.pods();
      return pods.size > 0 && [...pods.values()].every(Boolean);
    };
    await waitFor('pods of the chart Ready', ready, { timeoutMs: READY_MS, intervalMs: 500 });
    await this.traefikAddress();
  }

  /** A request to the API as that user, the way of its callers: through Traefik, by its host name. */
  async api(user: SampleUser, method: string, path: string, body?: object): Promise<HttpAnswer> {
    const headers = { authorization: `Bearer ${this.cluster.lab.tokenFor(user)}` };
    return this.request('api', path, { method, headers, timeoutMs: 90_000, ...(body === undefined ? {} : { body }) });
  }

  /** A visitor's request to the site of that user, through Traefik. */
  visit(username: string, path = '/'): Promise<HttpAnswer> {
    return this.request(username, path, { timeoutMs: 30_000 });
  }

  private async request(host: string, path: string, options: Parameters<typeof http>[1]): Promise<HttpAnswer> {
    const ca = readFileSync(this.cluster.lab.caFile, 'utf8');
    const url = `https://${host}.${BASE_DOMAIN}:${TRAEFIK.websecure}${path}`;
    return http(url, { ...options, ca, address: await this.traefikAddress() });
  }

  private traefikAddress(): Promise<string> {
    const query = [
      '--namespace',
      TRAEFIK.namespace,
      'get',
      'endpoints',
      TRAEFIK.name,
      '--output',
      'jsonpath={.subsets[0].addresses[0].ip}',
    ];
    const ask = async () => (await this.cluster.lab.kubectl(query)) || undefined;
    return waitFor('Traefik in its pod', ask, { timeoutMs: 60_000, intervalMs: 200 });
  }

  /** What an admin makes before the chart: namespaces, Secrets, volumes, Traefik; trust, an image and a way in LXD. */
  private async surroundings(traefikImage: string): Promise<void> {
    const { lab } = this.cluster;
    const { profile } = lab;
    mkdirSync(this.folder, { recursive: true });
    writeAppFiles(profile, lab.stack.targets());
    const [member = ''] = this.cluster.memberNames;
    const ca = new CertificateAuthority(profile);
    const client = await ca.client('chart', '/CN=webspaces');
    const sites = await ca.server('chart-sites', [`DNS:${BASE_DOMAIN}`, `DNS:*.${BASE_DOMAIN}`]);
    const own = (name: string) => readFileSync(join(dirname(configFile(profile, 'api')), name), 'utf8');
    const text = (file: string) => readFileSync(file, 'utf8');
    const pinned = await this.cluster.exec(member, ['cat', '/var/lib/lxd/cluster.crt']);
    await this.apply([
      ...namespaces(),
      secret('webspaces-lxd', { 'client.crt': text(client.certFile), 'client.key': text(client.keyFile), 'server.crt': pinned }),
      secret('webspaces-sealing', { 'sealing.json': own('sealing.json') }),
      secret('webspaces-identity', { 'identity.key': own('identity.key'), 'users.json': own('users.json') }),
      { ...secret('tls-sites', { 'tls.crt': text(sites.certFile), 'tls.key': text(sites.keyFile) }), type: 'kubernetes.io/tls' },
      volume(profile, 'webspaces-staging', '8Gi'),
      volume(profile, 'data-webspaces-temporal-0', '1Gi'),
      ...traefik(traefikImage),
    ]);
    await this.trust(member, text(client.certFile));
    await importImage(this.cluster.lxd.client(member), await buildImage(), 'hello');
    await this.leadToContainers(member);
  }

  private async apply(objects: readonly object[]): Promise<void> {
    const file = join(this.folder, 'objects.yaml');
    writeFileSync(file, objects.map((object) => stringify(object)).join('---\n'), { mode: 0o600 });
    await this.cluster.lab.kubectl(['apply', '--server-side', '--force-conflicts', '-f', file], { timeoutMs: 60_000 });
  }

  private async trust(member: string, pem: string): Promise<void> {
    const lxd = this.cluster.lxd.client(member);
    const certificate = pem.replace(/-----[A-Z ]+-----|\n/g, '');
    const known = await lxd.request<{ name: string }[]>('GET', '/1.0/certificates?recursion=1');
    if (known.some(({ name }) => name === RELEASE)) return;
    await lxd.request('POST', '/1.0/certificates', { body: { type: 'client', name: RELEASE, certificate } });
  }

  /** Pods reach the containers on the member's own bridge by way of the member's pod, as the nodes of a cluster would be told to lead them. */
  private async leadToContainers(member: string): Promise<void> {
    const { profile, stack } = this.cluster.lab;
    const { status, spec } = await this.cluster.pod(member);
    if (status.podIP === undefined || spec.nodeName === undefined) throw new Error(`pod ${member} has no place`);
    const host = nodeAddress(profile, Number(spec.nodeName.replace('node-', '')));
    for (const { name, sandbox } of stack.nodes?.nodes ?? []) {
      await sandbox.exec(['ip', 'route', 'replace', LXD.subnet, 'via', name === spec.nodeName ? status.podIP : host]);
    }
  }
}

function secret(name: string, files: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: NAMESPACE }, stringData: files };
}
