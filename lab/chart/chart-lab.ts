import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { configFile, writeAppFiles } from '../apps.js';
import { isReady, type Pod } from '../cluster/kube.js';
import { givePlatformImages, nameAgain, type PlatformImages } from '../cluster/platform-images.js';
import { PolicyEngine } from '../cluster/policy-engine.js';
import { type RunOptions, run } from '../exec.js';
import type { Lab } from '../harness.js';
import { type HttpAnswer, http } from '../http.js';
import { buildImage, importImage } from '../image.js';
import { LxdClient } from '../lxd-client.js';
import { type Certificate, CertificateAuthority } from '../pki.js';
import { type Progress, silent } from '../progress.js';
import { resolveTool } from '../tools/resolve.js';
import { waitFor } from '../wait.js';
import { CHART, Helm } from './helm.js';
import { BASE_DOMAIN, NAMESPACE, NODE, namespaces, TRAEFIK, VOLUMES, volume, volumeFolder } from './surroundings.js';
import { traefik } from './traefik.js';
import { values } from './values.js';

const RELEASE = 'webspaces';
export const MEMBER = 'lxd-0';
const READY_MS = 180_000;
/** Above what the gateway holds a visitor for. */
const HELD_MS = 70_000;

/** The platform and its LXD in pods, installed by the chart with a real `helm` on the lab's nodes, beside a Traefik in a pod. */
export class ChartLab {
  readonly helm: Helm;
  /** Of the node that it is on: it runs from `install` to `remove`, unless a test stops it. */
  readonly policies: PolicyEngine;
  private readonly folder: string;

  /** Of LXD, all on its one node. */
  private members = 1;

  constructor(readonly lab: Lab) {
    this.folder = join(lab.profile.paths.cluster, 'chart');
    this.policies = new PolicyEngine(lab.profile, NODE);
    this.helm = new Helm(join(this.folder, 'helm'), lab.kubeconfigAdmin, NAMESPACE);
  }

  get memberNames(): string[] {
    return Array.from({ length: this.members }, (_, number) => `lxd-${number}`);
  }

  private get valuesFile(): string {
    return join(this.folder, 'values.yaml');
  }

  /** The cluster's certificate, as the Secret of it has it. */
  get lxdCertificate(): string {
    return join(this.folder, 'lxd.crt');
  }

  /** From the images to pods that are Ready and may make webspaces, with that chart. Safe to call again. */
  async install(progress: Progress = silent, chart = CHART): Promise<void> {
    const images = await progress.step('images of the platform', () => givePlatformImages(this.lab.profile, [NODE], progress.note));
    await progress.step('Secrets, volumes, Traefik', () => this.surroundings(images));
    await progress.step('helm', () => resolveTool('helm', { onInstall: progress.note }));
    await progress.step('policy engine', () => this.policies.ensure(progress.note));
    writeFileSync(this.valuesFile, stringify(values(this.lab.profile, images)));
    await progress.step('helm upgrade --install', async () => {
      await this.helm.run(['upgrade', '--install', RELEASE, chart, '--values', this.valuesFile]);
    });
    await progress.step('LXD: trust, an image', () => this.openLxd());
    await progress.step('pods Ready', () => this.ready());
    const allowed = async () => (await this.kubectl(['get', 'configmap', 'claims-epoch', '--ignore-not-found', '--output', 'name'])) !== '';
    await progress.step('the first sweep', () => waitFor('new claims to be allowed', allowed, { timeoutMs: 60_000, intervalMs: 200 }));
  }

  /** What is installed becomes this project's chart; waits until its pods have followed, but for the members of LXD, which nobody replaces. */
  async upgrade(): Promise<void> {
    await this.helm.run(['upgrade', RELEASE, CHART, '--values', this.valuesFile, '--wait', '--timeout', '170s']);
  }

  /** So many members of LXD by a value, each with a volume; waits until those that were not there are Ready. */
  async grow(members: number): Promise<void> {
    this.members = members;
    await this.apply(this.memberNames.map((name) => this.volumeOf(name)));
    await this.change('lxd8s', { replicas: members });
    await this.membersReady();
  }

  /** Changes values of a section, the rest of which stays, and upgrades to them. */
  async change(section: string, given: object): Promise<void> {
    const all = parse(readFileSync(this.valuesFile, 'utf8')) as Record<string, object>;
    writeFileSync(this.valuesFile, stringify({ ...all, [section]: { ...all[section], ...given } }));
    await this.upgrade();
  }

  /** What helm says of what it leaves. */
  uninstall(): Promise<string> {
    return this.helm.run(['uninstall', RELEASE, '--wait', '--timeout', '110s']);
  }

  kubectl(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.lab.kubectl(['--namespace', NAMESPACE, ...args], { timeoutMs: 90_000, ...options });
  }

  /** Runs a command in the container of the member's process and LXD. */
  exec(command: readonly string[], input?: string): Promise<string> {
    const stdin = input === undefined ? {} : { input };
    return this.kubectl(['exec', ...(input === undefined ? [] : ['--stdin']), MEMBER, '--container', 'member', '--', ...command], stdin);
  }

  /** The members' image under another name, as the next one to upgrade to. */
  async nextMemberImage(): Promise<string> {
    const image = (await this.pods()).get(MEMBER)?.spec.containers.find(({ name }) => name === 'member')?.image ?? '';
    await nameAgain(this.lab.profile, NODE, image, `${image}-next`);
    return `${image}-next`;
  }

  /** The member of LXD that this instance is on. */
  async memberOf(instance: string): Promise<string> {
    return (await this.exec(['lxc', 'list', instance, '--format', 'csv', '--columns', 'L'])).trim();
  }

  /** Those of the release, by name. */
  async pods(): Promise<ReadonlyMap<string, Pod>> {
    const { items } = JSON.parse(await this.kubectl(['get', 'pods', '--output', 'json'])) as { readonly items: readonly Pod[] };
    return new Map(items.map((pod) => [pod.metadata.name, pod]));
  }

  async ready(): Promise<void> {
    const ready = async () => {
      const pods = [...(await this.pods()).values()];
      return pods.length > 0 && pods.every(isReady);
    };
    await waitFor('pods of the chart Ready', ready, { timeoutMs: READY_MS, intervalMs: 500 });
    const routed = async () => (await this.request('api', '/v1/images', { timeoutMs: 10_000 })).status === 200;
    await waitFor('the API by its host name', routed, { timeoutMs: 30_000, intervalMs: 100 });
  }

  /** A request to the API as that user, the way of its callers: through Traefik, by its host name. */
  api(user: Parameters<Lab['api']>[0], method: string, path: string, body?: object): Promise<HttpAnswer> {
    const headers = { authorization: `Bearer ${this.lab.tokenFor(user)}` };
    return this.request('api', path, { method, headers, timeoutMs: 90_000, ...(body === undefined ? {} : { body }) });
  }

  /** A visitor's request to the site of that user, through Traefik. */
  visit(username: string, path = '/'): Promise<HttpAnswer> {
    return this.request(username, path, { timeoutMs: HELD_MS });
  }

  /** The site's page. A route that is not there yet is waited for. */
  page(username: string): Promise<string> {
    const visited = async () => {
      const { status, body } = await this.visit(username);
      return status === 200 && body;
    };
    return waitFor(`the page of ${username}`, visited, { timeoutMs: 60_000, intervalMs: 100 });
  }

  /** Of its pod. */
  traefikAddress(): Promise<string> {
    const query = [
      '--namespace',
      TRAEFIK.namespace,
      'get',
      'endpoints',
      TRAEFIK.name,
      '--output',
      'jsonpath={.subsets[0].addresses[0].ip}',
    ];
    const ask = async () => (await this.lab.kubectl(query)) || undefined;
    return waitFor('Traefik in its pod', ask, { timeoutMs: 60_000, intervalMs: 200 });
  }

  /** The real `lxc` of this machine, as a client that LXD trusts: its remote `chart:` is LXD's API by Traefik, under its host name. */
  async lxc(args: readonly string[]): Promise<string> {
    const { pki } = this.lab.profile.paths;
    const folder = join(this.folder, 'lxc');
    mkdirSync(folder, { recursive: true });
    for (const kind of ['crt', 'key']) copyFileSync(join(pki, `chart.${kind}`), join(folder, `client.${kind}`));
    const hosts = join(folder, 'hosts');
    const name = `lxd.${BASE_DOMAIN}`;
    writeFileSync(hosts, `127.0.0.1 localhost\n${await this.traefikAddress()} ${name}\n`);
    const script = `mount --bind ${hosts} /etc/hosts
lxc remote list --format csv | grep -q ^chart, || lxc remote add chart https://${name}:${TRAEFIK.lxd} --accept-certificate
exec lxc "$@"`;
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: folder, LXD_CONF: folder };
    return run('unshare', ['--mount', 'sh', '-ec', script, 'lxc', ...args], { env, timeoutMs: 30_000 });
  }

  /** Pods, objects and volumes of it; the images stay on their node. */
  async remove(): Promise<void> {
    await this.helm.run(['uninstall', RELEASE, '--ignore-not-found']);
    await this.policies.stop();
    const gone = ['--ignore-not-found', '--timeout=120s'];
    await this.lab.kubectl(['delete', 'namespace', NAMESPACE, TRAEFIK.namespace, ...gone], { timeoutMs: 150_000 });
    await this.lab.kubectl(['delete', 'persistentvolume', '--selector', VOLUMES, ...gone], { timeoutMs: 150_000 });
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private async request(host: string, path: string, options: Parameters<typeof http>[1]): Promise<HttpAnswer> {
    const ca = readFileSync(this.lab.caFile, 'utf8');
    const url = `https://${host}.${BASE_DOMAIN}:${TRAEFIK.websecure}${path}`;
    return http(url, { ...options, ca, address: await this.traefikAddress() });
  }

  /** What an admin makes before the chart: namespaces, Secrets, volumes, Traefik. */
  private async surroundings(images: PlatformImages): Promise<void> {
    const { profile, stack } = this.lab;
    mkdirSync(this.folder, { recursive: true });
    writeAppFiles(profile, stack.targets());
    const ca = new CertificateAuthority(profile);
    const client = read(await ca.client('chart', '/CN=webspaces'));
    const server = read(await ca.server('chart-lxd', [`DNS:lxd.${BASE_DOMAIN}`]));
    writeFileSync(this.lxdCertificate, server.cert);
    const sites = read(await ca.server('chart-sites', [`DNS:${BASE_DOMAIN}`, `DNS:*.${BASE_DOMAIN}`]));
    const own = (name: string) => readFileSync(join(dirname(configFile(profile, 'api')), name), 'utf8');
    await this.apply([
      ...namespaces(),
      secret('webspaces-lxd', { 'client.crt': client.cert, 'client.key': client.key }),
      secret('webspaces-sealing', { 'sealing.json': own('sealing.json') }),
      secret('webspaces-identity', { 'identity.key': own('identity.key'), 'users.json': own('users.json') }),
      tls('webspaces-lxd-cluster', server),
      tls('tls-sites', sites),
      volume(profile, 'webspaces-staging', '8Gi'),
      volume(profile, 'webspaces-clusters', '4Gi'),
      volume(profile, 'data-webspaces-temporal-0', '1Gi'),
      this.volumeOf(MEMBER),
      ...traefik(images),
    ]);
  }

  private volumeOf(member: string): object {
    return volume(this.lab.profile, `lxd-${member}`, '16Gi');
  }

  private async membersReady(): Promise<void> {
    const whole = `--for=jsonpath={.status.readyReplicas}=${this.members}`;
    await this.kubectl(['wait', 'statefulset/lxd', whole, '--timeout=180s'], { timeoutMs: 190_000 });
  }

  private async apply(objects: readonly object[]): Promise<void> {
    const file = join(this.folder, 'objects.yaml');
    writeFileSync(file, objects.map((object) => stringify(object)).join('---\n'), { mode: 0o600 });
    await this.lab.kubectl(['apply', '--server-side', '--force-conflicts', '-f', file], { timeoutMs: 60_000 });
  }

  /** What an admin does once LXD is there, as deploy/README.md says. */
  private async openLxd(): Promise<void> {
    const client = await new CertificateAuthority(this.lab.profile).client('chart', '/CN=webspaces');
    await this.membersReady();
    if (!(await this.exec(['lxc', 'config', 'trust', 'list', '--format', 'csv'])).includes(RELEASE))
      await this.exec(['lxc', 'config', 'trust', 'add', '/dev/stdin', '--name', RELEASE], readFileSync(client.certFile, 'utf8'));
    const socket = join(volumeFolder(this.lab.profile, `lxd-${MEMBER}`), 'unix.socket');
    await importImage(new LxdClient(socket), await buildImage(), 'hello');
  }
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

function read({ certFile, keyFile }: Certificate): Pair {
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

function tls(name: string, { cert, key }: Pair): object {
  return { ...secret(name, { 'tls.crt': cert, 'tls.key': key }), type: 'kubernetes.io/tls' };
}

function secret(name: string, files: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: NAMESPACE }, stringData: files };
}
