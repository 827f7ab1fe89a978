import { readFileSync } from 'node:fs';
import { SAMPLE_USERS, type SampleUser, type TokenOptions, tokenFor } from './apps.js';
import { kubeconfigOf, type ServiceAccount } from './cluster-objects.js';
import { LabDns } from './dns.js';
import { type RunOptions, run } from './exec.js';
import { type HttpAnswer, type HttpRequest, http } from './http.js';
import { buildImage, type ImageOptions, importImage } from './image.js';
import { readLabFile, refuseOtherIndex, writeLabFile } from './lab-file.js';
import { withLock } from './lock.js';
import type { LabProcess } from './process.js';
import { type Profile, type ProfileName, parseProfile, siteUrl } from './profile.js';
import { type Progress, silent } from './progress.js';
import { type Removal, removeLab } from './removal.js';
import { Stack } from './stack.js';
import { resolveNodeTools, resolveTools } from './tools/resolve.js';

export interface LabOptions {
  /** `test` unless given. WEBSPACES_LAB in the environment (e.g. `scratch:7`) wins: for two people on one machine. */
  readonly profile?: ProfileName;
  readonly temporalInMemory?: boolean;
  /** `none`: Temporal, Kubernetes, LXD and Traefik only. */
  readonly apps?: 'all' | 'none';
  readonly internet?: boolean;
  /** How many real nodes; none unless given. */
  readonly nodes?: number;
  readonly progress?: Progress;
}

export const PROCESS_NAMES = [
  'temporal',
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'sandbox',
  'lxd',
  'traefik',
  'cert-manager',
  'dns',
  'relay',
  'worker',
  'api',
  'gateway',
  'gateway-ports',
  'github',
  'octolxd',
] as const;
/** Those of a lab with real nodes come on top; nodes are numbered from 1. */
export type NodeProcessName =
  | 'kube-scheduler'
  | 'relay-nodes'
  | 'dns-nodes'
  | 'longhorn'
  | `node-${number}`
  | `node-${number}-${'containerd' | 'kubelet' | 'kube-proxy'}`;
export type ProcessName = (typeof PROCESS_NAMES)[number] | NodeProcessName;

/** Brings a lab up, or what is missing of it, and returns its handles. Safe to call again, also from another process. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const profile = parseProfile(process.env['WEBSPACES_LAB'] ?? options.profile ?? 'test');
  refuseOtherIndex(profile);
  const progress = options.progress ?? silent;
  const tools = await progress.step('tools', () => resolveTools({ onInstall: progress.note }));
  const { temporalInMemory = false, apps = 'all', internet = false } = options;
  // A lab that has nodes keeps them, whoever joins it.
  const count = Math.max(options.nodes ?? 0, readLabFile(profile)?.nodes ?? 0);
  const nodes =
    count > 0 ? { count, tools: await progress.step('tools of nodes', () => resolveNodeTools({ onInstall: progress.note })) } : undefined;
  writeLabFile(profile, { mode: 'own', apps, temporalInMemory, internet, nodes: count });
  const lab = new Lab(new Stack(profile, tools, { temporalInMemory, apps, internet, nodes }));
  await lab.up(progress);
  return lab;
}

/** Of a lab only Kubernetes, in a few seconds: what else of it runs is left alone, and a lab that is started later has the rest. */
export async function startKubernetes(): Promise<Lab> {
  const profile = parseProfile(process.env['WEBSPACES_LAB'] ?? 'test');
  refuseOtherIndex(profile);
  const tools = await resolveTools();
  if (!readLabFile(profile)) writeLabFile(profile, { mode: 'own', apps: 'none', temporalInMemory: false, internet: false });
  const lab = new Lab(new Stack(profile, tools, { apps: 'none' }));
  await withLock(profile, () => lab.stack.kubernetesAlone());
  return lab;
}

/** A running lab of real parts, for tests and measurements. */
export class Lab {
  readonly profile: Profile;
  /** The DNS server that the worker asks; without names until a test sets some. */
  readonly dns: LabDns;

  constructor(readonly stack: Stack) {
    this.profile = stack.profile;
    this.dns = new LabDns(stack.profile);
  }

  get lxdSocket(): string {
    return this.profile.paths.lxdSocket;
  }

  /** LXD by HTTPS; a client certificate must be trusted first (`stack.lxd.trust`). */
  get lxdUrl(): string {
    return this.stack.lxd.httpsUrl;
  }

  get kubeconfigAdmin(): string {
    return this.stack.controlPlane.adminKubeconfig;
  }

  get temporalAddress(): string {
    return `127.0.0.1:${this.profile.ports.temporal}`;
  }

  get containerSubnet(): string {
    return this.profile.network.containerSubnet;
  }

  get caFile(): string {
    return this.profile.paths.caFile;
  }

  /** Starts again whatever was killed; a healthy process is left alone. */
  up(progress: Progress = silent): Promise<void> {
    return withLock(this.profile, () => this.stack.up(progress));
  }

  /** Removes the lab wholly and says what was there, and what is left although it should not be. */
  down(): Promise<Removal> {
    return withLock(this.profile, () => removeLab(this.profile));
  }

  /** kill('SIGKILL'), start(), restart(), pid(), healthy() of one process. */
  process(name: ProcessName): LabProcess {
    const found = this.stack.processes().find((candidate) => candidate.name === name);
    if (!found) throw new RangeError(`no process "${name}" in the lab`);
    return found;
  }

  kubeconfigOf(account: ServiceAccount): string {
    return kubeconfigOf(this.profile, account);
  }

  /** A token of alice, bob or admin, or of any id. */
  tokenFor(user: SampleUser | { id: number; isAdmin?: boolean }, options?: TokenOptions): string {
    return tokenFor(this.profile, typeof user === 'string' ? SAMPLE_USERS[user] : user, options);
  }

  lxc(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return run('lxc', args, {
      ...options,
      env: { PATH: '/usr/bin:/bin', HOME: this.profile.paths.state, LXD_DIR: this.profile.paths.lxd },
    });
  }

  kubectl(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const env = { PATH: '/usr/bin:/bin', HOME: this.profile.paths.kubeconfigs, KUBECONFIG: this.kubeconfigAdmin };
    return run(this.stack.tools.kubectl, args, { ...options, env });
  }

  /** Runs a command in the namespaces of LXD, where its bridge and its containers are. */
  sandboxExec(command: readonly string[], options?: RunOptions): Promise<string> {
    return this.stack.sandbox.exec(command, options);
  }

  /** Runs a command in the router's network namespace. */
  routerExec(command: readonly string[], options?: RunOptions): Promise<string> {
    return run('nsenter', [`--net=/run/netns/${this.profile.network.routerNamespace}`, ...command], options);
  }

  /** Builds (or takes from the cache) a variant of the image and imports it under the alias; returns its fingerprint. */
  async importImage(alias: string, options: ImageOptions = {}): Promise<string> {
    const image = await buildImage(options);
    await importImage(this.stack.lxd.client, image, alias);
    return image.fingerprint;
  }

  /** A request to the API as that user. */
  api(user: SampleUser | { id: number; isAdmin?: boolean }, method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    const headers = { authorization: `Bearer ${this.tokenFor(user)}` };
    return http(`${this.profile.urls.api}${path}`, { method, headers, timeoutMs: 90_000, ...(body === undefined ? {} : { body }) });
  }

  /** A visitor's request: through Traefik, over HTTPS, trusting the lab's CA only. */
  visit(username: string, path = '/', options: HttpRequest = {}): Promise<HttpAnswer> {
    return visit(this.profile, username, path, options);
  }
}

export function visit(profile: Profile, username: string, path = '/', options: HttpRequest = {}): Promise<HttpAnswer> {
  const ca = readFileSync(profile.paths.caFile, 'utf8');
  return http(`${siteUrl(profile, username)}${path}`, { address: '127.0.0.1', ca, timeoutMs: 10_000, ...options });
}
