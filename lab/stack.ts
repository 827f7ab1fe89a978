import { mkdirSync } from 'node:fs';
import { apiProcess, gatewayProcess, type Targets, workerProcess, writeAppFiles } from './apps.js';
import { certManagerProcess } from './cert-manager.js';
import { CLUSTER } from './cluster/manifests.js';
import { ClusterNodes } from './cluster/nodes.js';
import { ensureClusterObjects, kubeconfigOf } from './cluster-objects.js';
import { ControlPlane } from './control-plane.js';
import { dnsAddress, dnsProcess } from './dns.js';
import { gatewayPortsProcess, writeGatewayPortsFiles } from './gateway-ports.js';
import { buildImage, type Image, importImage } from './image.js';
import { publishSampleImages } from './image-release.js';
import { ensureInternet } from './internet.js';
import { ensureLonghorn, type LonghornPlace, longhornProcess } from './longhorn/part.js';
import { Lxd } from './lxd.js';
import { ensureNetwork, refuseQuickly } from './network.js';
import { githubProcess, octolxdProcess, writeOctolxdFiles } from './octolxd.js';
import { CertificateAuthority } from './pki.js';
import type { LabProcess } from './process.js';
import type { Profile } from './profile.js';
import { type Progress, silent } from './progress.js';
import { relayProcess } from './relay.js';
import { Sandbox } from './sandbox.js';
import { temporalProcess } from './temporal.js';
import type { NodeTools, Tools } from './tools/resolve.js';
import { traefikProcess } from './traefik.js';

export interface StackOptions {
  readonly temporalInMemory?: boolean;
  readonly apps?: 'all' | 'none';
  readonly internet?: boolean;
  /** Real nodes; none unless given. */
  readonly nodes?: { readonly count: number; readonly tools: NodeTools } | undefined;
}

/** All parts of one lab. Bringing it up starts only what is missing, changed or unhealthy. */
export class Stack {
  readonly controlPlane: ControlPlane;
  readonly sandbox: Sandbox;
  readonly lxd: Lxd;
  readonly temporal: LabProcess;
  readonly traefik: LabProcess;
  readonly certManager: LabProcess;
  readonly dns: LabProcess;
  readonly relay: LabProcess;
  readonly api: LabProcess;
  readonly worker: LabProcess;
  readonly gateway: LabProcess;
  readonly gatewayPorts: LabProcess;
  readonly github: LabProcess;
  readonly octolxd: LabProcess;
  readonly nodes: ClusterNodes | undefined;
  private readonly ca: CertificateAuthority;

  constructor(
    readonly profile: Profile,
    readonly tools: Tools,
    private readonly options: StackOptions = {},
  ) {
    this.ca = new CertificateAuthority(profile);
    this.controlPlane = new ControlPlane(profile, tools, this.ca);
    this.sandbox = new Sandbox(profile);
    this.lxd = new Lxd(profile, this.sandbox);
    this.temporal = temporalProcess(profile, tools, { inMemory: options.temporalInMemory ?? false });
    this.traefik = traefikProcess(profile, tools);
    this.certManager = certManagerProcess(profile, tools);
    this.dns = dnsProcess(profile);
    this.relay = relayProcess(profile);
    this.api = apiProcess(profile);
    this.worker = workerProcess(profile);
    this.gateway = gatewayProcess(profile);
    this.gatewayPorts = gatewayPortsProcess(profile);
    this.github = githubProcess(profile);
    this.octolxd = octolxdProcess(profile);
    this.nodes = options.nodes && new ClusterNodes(profile, options.nodes.tools, this.ca, options.nodes.count);
  }

  /** In the order in which they are started. */
  processes(): LabProcess[] {
    const { etcd, apiServer, controllerManager } = this.controlPlane;
    const kubernetes = [etcd, apiServer, controllerManager];
    const lxd = [this.sandbox.process, this.lxd.process];
    return [
      this.temporal,
      ...kubernetes,
      ...lxd,
      this.traefik,
      this.certManager,
      this.dns,
      this.relay,
      this.worker,
      this.api,
      this.gateway,
      this.gatewayPorts,
      this.github,
      this.octolxd,
      ...(this.nodes ? [...this.nodes.processes(), longhornProcess(this.profile, this.longhornPlace())] : []),
    ];
  }

  private longhornPlace(): LonghornPlace {
    return { kubeconfig: this.controlPlane.adminKubeconfig, claimsNamespace: CLUSTER.namespace };
  }

  targets(): Targets {
    const { ports, urls, paths, network } = this.profile;
    return {
      lxd: { socket: paths.lxdSocket },
      kubeconfigs: {
        worker: kubeconfigOf(this.profile, 'webspaces-worker'),
        gateway: kubeconfigOf(this.profile, 'webspaces-gateway'),
      },
      temporal: { address: `127.0.0.1:${ports.temporal}`, uiUrl: urls.temporalUi },
      dnsResolvers: [dnsAddress(this.profile)],
      portsGateways: [`${network.hostLink.router}:${ports.gatewayPorts}`],
    };
  }

  async up(progress: Progress = silent): Promise<void> {
    mkdirSync(this.profile.paths.state, { recursive: true, mode: 0o711 });
    await this.ca.ensure();
    const withApps = (this.options.apps ?? 'all') === 'all';
    await allSettledOrFirstError([
      progress.step('Temporal', () => this.temporal.ensure()),
      progress.step('DNS', () => this.dns.ensure()),
      this.kubernetesAndNodes(progress),
      ...(withApps ? [progress.step('sample releases of images', () => publishSampleImages(this.profile))] : []),
      progress.step('LXD, router and image "hello"', () => this.containers()),
    ]);
    await allSettledOrFirstError([
      progress.step('cert-manager', () => this.certManager.ensure()),
      ...(withApps ? [this.apps(progress)] : []),
    ]);
  }

  /** Only etcd, the API server and its controllers, with the project's definitions and roles. */
  async kubernetesAlone(progress: Progress = silent): Promise<void> {
    mkdirSync(this.profile.paths.state, { recursive: true, mode: 0o711 });
    await this.ca.ensure();
    await this.controlPlaneAndObjects(progress);
  }

  async apps(progress: Progress): Promise<void> {
    writeAppFiles(this.profile, this.targets());
    await allSettledOrFirstError([
      progress.step('worker', () => this.worker.ensure()),
      progress.step('API', () => this.api.ensure()),
      progress.step('gateway', () => this.gateway.ensure()),
      progress.step('gateway of forwarded ports', () => this.ports()),
      progress.step('image server, and a simulator of GitHub behind it', () => this.images()),
    ]);
  }

  private async ports(): Promise<string> {
    writeGatewayPortsFiles(this.profile);
    await this.relay.ensure();
    return this.gatewayPorts.ensure();
  }

  private async images(): Promise<string> {
    await writeOctolxdFiles(this.profile, this.ca);
    await this.github.ensure();
    return this.octolxd.ensure();
  }

  private async kubernetesAndNodes(progress: Progress): Promise<void> {
    const { nodes } = this;
    if (!nodes) return this.kubernetes(progress);
    const prepared = nodes.prepare(progress);
    await allSettledOrFirstError([this.kubernetes(progress), prepared]);
    await nodes.join(progress, this.controlPlane.adminKubeconfig);
    await progress.step('a simulator of Longhorn', () => ensureLonghorn(this.profile, this.tools, this.longhornPlace()));
  }

  private async kubernetes(progress: Progress): Promise<void> {
    await this.controlPlaneAndObjects(progress);
    await progress.step('Traefik', () => this.traefik.ensure());
  }

  private async controlPlaneAndObjects(progress: Progress): Promise<void> {
    await progress.step('Kubernetes: etcd, API server, controller manager', () => this.controlPlane.ensure());
    const objects = () => ensureClusterObjects(this.profile, this.tools, this.ca, this.controlPlane.adminKubeconfig);
    await progress.step('Kubernetes: definitions, roles, certificate', objects);
  }

  private async containers(): Promise<string> {
    const image = buildImage();
    const outcome = await this.sandbox.process.ensure();
    const init = this.sandbox.initPid();
    try {
      return await this.containersIn(init, image, outcome);
    } catch (error) {
      // Killed just now, it still looked well: once more with a new one.
      if (init !== undefined && this.sandbox.initPid() === init) throw error;
      return this.containersIn((await this.sandbox.process.ensure()) && this.sandbox.initPid(), image, 'restarted');
    }
  }

  private async containersIn(init: number | undefined, image: Promise<Image>, outcome: string): Promise<string> {
    if (init === undefined) throw new Error('the sandbox ended');
    await ensureNetwork(this.profile, init);
    if (this.options.internet) await ensureInternet(this.profile, init);
    const daemon = await this.lxd.process.ensure();
    await this.lxd.configure();
    await refuseQuickly(this.profile, init);
    await importImage(this.lxd.client, await image, 'hello');
    return outcome === 'kept' ? daemon : outcome;
  }
}

/** Waits for all of them, so that a failure leaves nothing half started behind its back, and then reports the first. */
async function allSettledOrFirstError(work: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
