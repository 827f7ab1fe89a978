import { Resolver } from 'node:dns/promises';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildImage, importImage } from '../image.js';
import { LxdClient } from '../lxd-client.js';
import type { Profile } from '../profile.js';
import { waitFor } from '../wait.js';
import { type ClusterKube, isReady } from './kube.js';
import { lanSurroundings } from './lan.js';
import {
  DEFAULTS,
  memberAddress,
  memberNames,
  type StatefulSetOptions,
  statefulSet,
  surroundings,
  volumeOf,
  volumes,
} from './manifests.js';

const WEB_IMAGE = 'hello';
const SECRET = 'joins-the-lab';

/** A member of the cluster, as LXD lists it. */
export interface Member {
  readonly server_name: string;
  readonly status: string;
  readonly message: string;
  readonly roles: readonly string[];
}

/** The LXD cluster whose members are pods of a StatefulSet. LXD is asked over the socket in each member's volume, which is on this machine. */
export class LxdCluster {
  private options: Required<StatefulSetOptions> = DEFAULTS;

  constructor(
    private readonly profile: Profile,
    private readonly kube: ClusterKube,
  ) {}

  get memberNames(): string[] {
    return memberNames(this.options.members);
  }

  client(member: string): LxdClient {
    return new LxdClient(join(volumeOf(this.profile, member), 'unix.socket'));
  }

  /**
   * Applies the StatefulSet: what is not given stays as it was applied last. A changed podManagementPolicy makes it anew around the
   * pods, which stay as they are.
   */
  async applyStatefulSet(options: StatefulSetOptions = {}): Promise<void> {
    const wanted = { ...this.options, ...options };
    const now = await this.kube.statefulSet();
    if (now && now.spec.podManagementPolicy !== wanted.podManagementPolicy) await this.kube.deleteStatefulSet('Orphan');
    this.options = wanted;
    await this.kube.apply([statefulSet(wanted)]);
  }

  /** Pods and one cluster of them, ready. Joins what is there already. */
  async ensure(options: StatefulSetOptions): Promise<'kept' | 'formed'> {
    const members = memberNames({ ...this.options, ...options }.members);
    await this.kube.apply([
      ...surroundings(),
      ...(options.lan === 'members' ? lanSurroundings() : []),
      ...volumes(this.profile, members.length),
    ]);
    await this.applyStatefulSet(options);
    await this.ready();
    if ((await this.members(members[0] ?? '')).length >= members.length) return 'kept';
    await this.named();
    await this.form();
    return 'formed';
  }

  /** Every pod is Ready and runs what the template says now or said before. */
  async ready(timeoutMs = 120_000): Promise<void> {
    const all = async () => {
      const pods = await this.kube.pods();
      return this.memberNames.every((name) => pods.some((pod) => pod.metadata.name === name && isReady(pod)));
    };
    await waitFor(`pods ${this.memberNames.join(', ')} Ready`, all, { timeoutMs, intervalMs: 100 });
    // Without probes a pod is Ready before its LXD is.
    for (const member of this.memberNames) await this.answers(member, timeoutMs);
  }

  /** A new cluster in place of the old one: no instance, image or member of it is left. */
  async recreate(options: StatefulSetOptions = {}): Promise<void> {
    const before = this.volumesThere();
    await this.kube.deleteStatefulSet('Background');
    for (const { metadata } of await this.kube.pods()) await this.kube.deletePod(metadata.name, { graceSeconds: 1 });
    await waitFor('the end of the pods', async () => (await this.kube.pods()).length === 0, { timeoutMs: 60_000, intervalMs: 100 });
    for (const member of before) {
      await this.kube.deleteClaim(member);
      await this.kube.deleteVolume(`${this.profile.name}-${member}`);
      rmSync(volumeOf(this.profile, member), { recursive: true, force: true, maxRetries: 5 });
    }
    const gone = async () =>
      (await this.kube.get<{ items: object[] }>('/api/v1/persistentvolumes?labelSelector=app%3Dlxd'))?.items.length === 0;
    await waitFor('the end of the volumes', gone, { timeoutMs: 30_000, intervalMs: 100 });
    this.options = DEFAULTS;
    await this.ensure(options);
  }

  /** As one member sees them; none while it is in no cluster. */
  async members(by: string): Promise<Member[]> {
    const cluster = await this.client(by).request<{ enabled: boolean }>('GET', '/1.0/cluster', { timeoutMs: 5_000 });
    return cluster.enabled ? this.client(by).request<Member[]>('GET', '/1.0/cluster/members?recursion=1', { timeoutMs: 5_000 }) : [];
  }

  /** Whether as many members as that serve, after a moment's patience. */
  async answersOf(members: number): Promise<boolean> {
    const answers = memberNames(members).map((member) => this.answers(member, 5_000));
    return (await Promise.allSettled(answers)).every(({ status }) => status === 'fulfilled');
  }

  /** A container on that member which serves HTTP on the port of the member's pod. */
  async launchWeb(
    member: string,
    { port = 8080, name = `web-${member}` }: { readonly port?: number; readonly name?: string } = {},
  ): Promise<Web> {
    const lxd = this.client(member);
    await importImage(lxd, await buildImage(), WEB_IMAGE);
    const proxy = { type: 'proxy', listen: `tcp:0.0.0.0:${port}`, connect: 'tcp:127.0.0.1:80' };
    const source = { type: 'image', alias: WEB_IMAGE };
    const body = { name, source, config: { 'boot.autostart': 'true' }, devices: { web: proxy } };
    await lxd.request('POST', `/1.0/instances?target=${member}`, { body });
    await lxd.request('PUT', `/1.0/instances/${name}/state`, { body: { action: 'start', timeout: 30 } });
    return { name, member, port };
  }

  /** Members that have a volume, also those of a cluster of another size. */
  private volumesThere(): string[] {
    const folder = dirname(volumeOf(this.profile, 'any'));
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  private async answers(member: string, timeoutMs: number): Promise<void> {
    // One that waits for others may leave a question without an answer.
    const asked = async () => (await this.client(member).request('GET', '/1.0', { timeoutMs: 2_000 })) !== undefined;
    await waitFor(`LXD of ${member}`, asked, { timeoutMs, intervalMs: 50 });
  }

  /** Each member by its name: that comes some time after its pod is Ready. */
  private async named(): Promise<void> {
    const resolver = new Resolver({ timeout: 1_000, tries: 1 });
    resolver.setServers([this.profile.network.nodes.host]);
    for (const member of this.memberNames) {
      const named = async () => {
        const address = (await this.kube.pod(member))?.status.podIP ?? '';
        return (await resolver.resolve4(memberAddress(member).replace(/:\d+$/, ''))).includes(address);
      };
      await waitFor(`the name of ${member}`, named, { timeoutMs: 60_000, intervalMs: 200 });
    }
  }

  private async form(): Promise<void> {
    const [first = '', ...others] = this.memberNames;
    await this.bootstrap(first);
    const certificate = readFileSync(join(volumeOf(this.profile, first), 'cluster.crt'), 'utf8');
    for (const member of others) {
      const body = {
        server_name: member,
        enabled: true,
        server_address: memberAddress(member),
        cluster_address: memberAddress(first),
        cluster_certificate: certificate,
        cluster_password: SECRET,
        member_config: [{ entity: 'storage-pool', name: 'default', key: 'source', value: '' }],
      };
      await this.client(member).request('PUT', '/1.0/cluster', { body });
    }
    await this.client(first).request('PATCH', '/1.0', { body: { config: { 'core.trust_password': '' } } });
  }

  private async bootstrap(member: string): Promise<void> {
    const lxd = this.client(member);
    const config = { 'core.https_address': memberAddress(member), 'core.trust_password': SECRET, 'images.auto_update_interval': '0' };
    await lxd.request('PATCH', '/1.0', { body: { config } });
    await lxd.request('POST', '/1.0/storage-pools', { body: { name: 'default', driver: 'dir' } });
    const bridge = { 'ipv4.address': '10.88.0.1/24', 'ipv4.nat': 'true', 'ipv6.address': 'none' };
    await lxd.request('POST', '/1.0/networks', { body: { name: 'lxdbr0', type: 'bridge', config: bridge } });
    const devices = {
      root: { type: 'disk', pool: 'default', path: '/' },
      eth0: { type: 'nic', network: 'lxdbr0', name: 'eth0' },
    };
    await lxd.request('PATCH', '/1.0/profiles/default', { body: { devices } });
    await lxd.request('PUT', '/1.0/cluster', { body: { server_name: member, enabled: true } });
  }
}

export interface Web {
  readonly name: string;
  readonly member: string;
  readonly port: number;
}
