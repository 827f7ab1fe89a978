import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isReady, type Pod } from '#lab/cluster/kube.js';
import { type ClusterSettings, writeClusterSettings } from '#lab/cluster/settings.js';
import { type Lab, type LabOptions, startLab } from '#lab/harness.js';
import { buildImage, type ImageOptions, importImage } from '#lab/image.js';
import { KubeClient } from '#lab/kube-client.js';
import { LxdClient } from '#lab/lxd-client.js';
import { projectRoot } from '#lab/project.js';
import { waitFor } from '#lab/wait.js';
import { type CertificateFiles, makeCertificate } from '#libs/testing/certificates.js';
import { ConsoleVisitor } from './console-visitor.js';
import {
  memberOf,
  ONE_POOL,
  OWN,
  type Second,
  type StatefulSetOptions,
  shippedClusterRoles,
  shippedRoles,
  statefulSet,
  surroundings,
  volume,
  volumeName,
} from './lxd8s-manifests.js';
import { type MemberSays, saysOfPod } from './member-says.js';
import { type Pace, QUICK } from './pace.js';

const NAMESPACE = `/api/v1/namespaces/${OWN.namespace}`;

interface Member {
  readonly server_name: string;
  readonly status: string;
}

/** A cluster of LXD whose members run under apps/lxd8s/member, on real nodes, in a namespace of its own. */
export class Lxd8sWorld {
  readonly #folder = mkdtempSync(join(tmpdir(), 'lxd8s-'));
  readonly #kube: KubeClient;

  private constructor(
    readonly lab: Lab,
    /** Those of the lab that are for members: it may have more. */
    private readonly nodes: readonly string[],
    private readonly pace: Pace,
    private readonly second: Second,
  ) {
    this.#kube = KubeClient.fromKubeconfig(lab.kubeconfigAdmin);
  }

  /** With `apps: 'all'` our processes run beside it; what the worker knows of it, `beginManaged` says. With `second: 'storage'` members have a second volume. */
  static async open(
    nodes: number,
    {
      apps = 'none',
      profile = 'test',
      pace = QUICK,
      second = 'none',
    }: Pick<LabOptions, 'apps' | 'profile'> & { readonly pace?: Pace; readonly second?: Second } = {},
  ): Promise<Lxd8sWorld> {
    const names = Array.from({ length: nodes }, (_, at) => `node-${at + 1}`);
    const world = new Lxd8sWorld(await startLab({ profile, nodes, apps }), names, pace, second);
    await world.remove();
    await world.apply(surroundings());
    await world.applyText(shippedRoles());
    return world;
  }

  /** One member, of a cluster that has one pool and volumes for as many; the worker may change it, and calls it `lab`. */
  async beginManaged(members: number): Promise<void> {
    await this.preseed(ONE_POOL);
    await this.certificate('first');
    await this.volumes(members);
    await this.scale({ replicas: 1 });
    await this.whole(1);
    await this.manage();
  }

  /** The worker may change it, and calls it `lab`. */
  async manage(settings: ClusterSettings = {}): Promise<void> {
    await this.applyText(shippedClusterRoles());
    const { namespace, statefulSet } = OWN;
    writeClusterSettings(this.lab.profile, { namespace, statefulSet, container: 'member', environment: [], ...settings });
    await this.lab.up();
  }

  /** What pods of this world keep is in it, on this machine. */
  get folder(): string {
    return join(this.lab.profile.paths.cluster, 'own');
  }

  /** The names of nodes in Kubernetes are `node-1`…; what a pod of this world keeps is here on this machine. */
  folderOf(member: string): string {
    return join(this.folder, member);
  }

  /** The same of its second volume. */
  storageOf(member: string): string {
    return join(this.folder, 'storage', member);
  }

  async volumes(members: number): Promise<void> {
    const names = Array.from({ length: members }, (_, number) => memberOf(number));
    const volumes = names.flatMap((member) => [
      { claim: 'state', member, path: this.folderOf(member) } as const,
      ...(this.second === 'storage' ? [{ claim: 'storage', member, path: this.storageOf(member) } as const] : []),
    ]);
    for (const { path } of volumes) mkdirSync(path, { recursive: true });
    await this.apply(volumes.map((one) => volume(one)));
  }

  /** An empty one in the place of one whose claim is gone. */
  async renewVolume(member: string): Promise<void> {
    await this.lab.kubectl(['delete', 'persistentvolume', volumeName({ claim: 'state', member }), '--wait'], { timeoutMs: 60_000 });
    rmSync(this.folderOf(member), { recursive: true, force: true, maxRetries: 5 });
    mkdirSync(this.folderOf(member), { recursive: true });
    await this.apply([volume({ claim: 'state', member, path: this.folderOf(member) })]);
  }

  scale(options: Pick<StatefulSetOptions, 'replicas' | 'podManagementPolicy'>): Promise<void> {
    return this.apply([statefulSet({ ...options, nodes: this.nodes, second: this.second })]);
  }

  async preseed(yaml: string): Promise<void> {
    const { namespace, preseed: name } = OWN;
    await this.apply([{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { 'preseed.yaml': yaml } }]);
    await this.#hurry();
  }

  /** A pod that changes gets its mounted ConfigMaps and Secrets anew at once; otherwise kubelet takes up to a minute and a half. */
  async #hurry(): Promise<void> {
    await this.kubectl(['annotate', 'pod', '--all', '--overwrite', `lab/changed=${Date.now()}`]);
  }

  async certificate(name: string): Promise<CertificateFiles> {
    const made = await makeCertificate(this.#folder, name, `DNS:${name}.example.org`);
    const data = { 'tls.crt': Buffer.from(made.cert).toString('base64'), 'tls.key': Buffer.from(made.key).toString('base64') };
    const metadata = { name: OWN.certificate, namespace: OWN.namespace };
    await this.apply([{ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, data }]);
    await this.#hurry();
    return made;
  }

  kubectl(args: readonly string[], timeoutMs = 60_000): Promise<string> {
    return this.lab.kubectl(['--namespace', OWN.namespace, ...args], { timeoutMs });
  }

  async record(): Promise<Readonly<Record<string, string>> | undefined> {
    return (await this.#kube.get<{ data: Record<string, string> }>(`${NAMESPACE}/configmaps/lxd-cluster`))?.data;
  }

  pod(member: string): Promise<Pod | undefined> {
    return this.#kube.get<Pod>(`${NAMESPACE}/pods/${member}`);
  }

  client(member: string): LxdClient {
    return new LxdClient(join(this.folderOf(member), 'unix.socket'));
  }

  async exec(member: string, command: readonly string[]): Promise<string> {
    return this.kubectl(['exec', member, '-c', 'member', '--', ...command]);
  }

  /** What a command in a container prints. A machine without KVM may be too slow for the connections of one: it is given again then. */
  async inside(member: string, container: string, script: string): Promise<string> {
    const answer = async () => ({ said: await this.exec(member, ['lxc', 'exec', container, '--', 'sh', '-c', script]) });
    return (await waitFor(`an answer of ${container}`, answer, { timeoutMs: 60_000, intervalMs: 500 })).said;
  }

  /** Somebody at `lxd8s console` of a member, without a terminal. */
  console(member: string): ConsoleVisitor {
    const program = [process.execPath, join(projectRoot(), 'dist', 'apps', 'lxd8s', 'member', 'console', 'main.js')];
    const inPod = ['--namespace', OWN.namespace, 'exec', '--stdin', member, '-c', 'member', '--', ...program];
    const env = { PATH: '/usr/bin:/bin', HOME: this.#folder, KUBECONFIG: this.lab.kubeconfigAdmin };
    return new ConsoleVisitor([this.lab.stack.tools.kubectl, ...inPod], env);
  }

  /** Status of each member, as one of them sees it. */
  async members(by = memberOf(0)): Promise<Record<string, string>> {
    const list = await this.client(by).request<Member[]>('GET', '/1.0/cluster/members?recursion=1', {
      timeoutMs: this.pace.timeoutMs,
    });
    return Object.fromEntries(list.map(({ server_name, status }) => [server_name, status]));
  }

  async says(member: string): Promise<MemberSays> {
    return saysOfPod(member, await this.pod(member));
  }

  /** The same, once its reason reads like that. */
  saysOf(member: string, reason: RegExp): Promise<MemberSays> {
    const said = async () => {
      const now = await this.says(member);
      return reason.test(now.why) ? now : undefined;
    };
    return waitFor(`${member} to say ${reason}`, said, { timeoutMs: 90_000, intervalMs: 500 });
  }

  /** As many members as that, all Ready and Online, and each content with itself. */
  async whole(members: number, timeoutMs = 120_000): Promise<void> {
    const names = Array.from({ length: members }, (_, number) => memberOf(number));
    await waitFor(`a whole cluster of ${members}`, () => this.#isWhole(names), { timeoutMs, intervalMs: this.pace.intervalMs });
  }

  async #isWhole(names: readonly string[]): Promise<boolean> {
    const pods = await Promise.all(names.map((name) => this.pod(name)));
    for (const [at, name] of names.entries()) {
      const { phase, why, problems, preseed } = await saysOfPod(name, pods[at]);
      // One member makes LXD what the preseed says, for all.
      if (at === 0 && preseed?.asWantedAt === undefined) throw new Error(`${name}: not all is as the preseed says yet`);
      if (phase !== 'serving' || Object.keys(problems).length > 0) throw new Error(`${name}: ${phase}, ${why} ${JSON.stringify(problems)}`);
      if (!isReady(pods[at] as Pod)) throw new Error(`${name} serves and is not Ready`);
    }
    const seen = await this.members();
    if (Object.keys(seen).length !== names.length) throw new Error(`members ${JSON.stringify(seen)}`);
    return Object.values(seen).every((status) => status === 'Online');
  }

  /** A running container on that member. */
  async launch(
    name: string,
    member: string,
    { config = {}, devices = {}, ...image }: ImageOptions & { readonly config?: Record<string, string>; readonly devices?: object } = {},
  ): Promise<void> {
    const lxd = this.client(member);
    const alias = image.init ?? 'hello';
    await importImage(lxd, await buildImage(image), alias);
    await lxd.request('POST', `/1.0/instances?target=${member}`, { body: { name, source: { type: 'image', alias }, config, devices } });
    await lxd.request('PUT', `/1.0/instances/${name}/state`, { body: { action: 'start', timeout: 30 } });
  }

  async statusOf(instance: string, by = memberOf(0)): Promise<string> {
    return (
      await this.client(by).request<{ status: string }>('GET', `/1.0/instances/${instance}`, {
        timeoutMs: Math.max(15_000, this.pace.timeoutMs),
      })
    ).status;
  }

  /** Of the container of the member, this run. */
  logs(member: string): Promise<string> {
    return this.kubectl(['logs', member, '-c', 'member', '--tail=-1']);
  }

  /** What kubelet says of containers that it ended because a probe failed. */
  async endedByProbes(): Promise<string[]> {
    type Event = { readonly message?: string; readonly involvedObject: { readonly name: string } };
    const { items = [] } = (await this.#kube.get<{ items: readonly Event[] }>(`${NAMESPACE}/events`)) ?? {};
    const ended = items.filter(({ message = '' }) => /failed (startup|liveness) probe/.test(message));
    return ended.map(({ involvedObject, message }) => `${involvedObject.name}: ${message}`);
  }

  /** As when the power goes: every node and all that runs on it, at once; then all of them again. */
  async powerCut(): Promise<void> {
    const all = this.nodes.map((node) => this.lab.process(node as `node-${number}`));
    await Promise.all(all.map((node) => node.kill('SIGKILL')));
    await this.lab.up();
  }

  /** Nothing of it is left, its volumes included. */
  async remove(): Promise<void> {
    const { namespace } = OWN;
    await this.kubectl(['delete', 'statefulset', OWN.statefulSet, '--ignore-not-found', '--wait=false']);
    await this.kubectl(['delete', 'pod', '--all', '--grace-period=1', '--wait'], 90_000);
    await this.lab.kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--wait'], { timeoutMs: 90_000 });
    await this.lab.kubectl(['delete', 'persistentvolume', '-l', 'app=lxd8s', '--wait'], { timeoutMs: 60_000 });
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async close(): Promise<void> {
    await this.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async apply(objects: readonly object[]): Promise<void> {
    await this.applyText(objects.map((object) => JSON.stringify(object)).join('\n---\n'));
  }

  async applyText(text: string): Promise<void> {
    const file = join(this.#folder, 'objects.yaml');
    writeFileSync(file, text);
    await this.lab.kubectl(['apply', '--server-side', '--force-conflicts', '-f', file]);
  }
}
