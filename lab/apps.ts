import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { clusterSettings } from './cluster/settings.js';
import { filesBelow, hashFiles } from './hash.js';
import { http } from './http.js';
import { LabProcess } from './process.js';
import { ISSUER, NAMESPACE, type Profile } from './profile.js';
import { projectRoot } from './project.js';

export const SAMPLE_USERS = {
  alice: { id: 1, isAdmin: false },
  bob: { id: 2, isAdmin: false },
  admin: { id: 3, isAdmin: true },
} as const;
type App = 'api' | 'worker' | 'gateway';
export type SampleUser = keyof typeof SAMPLE_USERS;

export interface TokenOptions {
  readonly ttlSeconds?: number;
  readonly version?: number;
}

/** Settings of API and worker from the environment: they win over the configuration file. */
export type Settings = Readonly<Record<string, string>>;

/** The three outside systems; the lab's own, or those of an existing installation. */
export interface Targets {
  readonly lxd:
    | { readonly socket: string }
    | { readonly url: string; readonly clientCertFile: string; readonly clientKeyFile: string; readonly serverCertFile: string };
  readonly kubeconfigs: { readonly worker: string; readonly gateway: string };
  readonly temporal: { readonly address: string; readonly uiUrl: string };
  /** `ip:port` of those who are asked about domains; the system's when absent. */
  readonly dnsResolvers?: readonly string[];
  /** `host:port` where gateways of forwarded ports tell what they do. */
  readonly portsGateways?: readonly string[];
}

/** Writes configurations, keys and the sample users; whatever exists is kept, so that tokens stay valid. */
export function writeAppFiles(profile: Profile, targets: Targets): void {
  const folder = profile.paths.apps;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const once = (name: string, content: () => string) => {
    const file = join(folder, name);
    if (!existsSync(file)) writeFileSync(file, content(), { mode: 0o600 });
    return file;
  };
  const identityKey = once('identity.key', () => `${randomBytes(48).toString('base64')}\n`);
  const users = once('users.json', () => `${JSON.stringify({ users: sampleUsers() }, null, 2)}\n`);
  const sealing = once('sealing.json', () => `${JSON.stringify({ current: 'k1', keys: { k1: randomBytes(32).toString('base64') } })}\n`);
  const webhookSecret = once('webhook.secret', () => `${randomBytes(32).toString('hex')}\n`);
  const images = { stagingFolder: profile.paths.staging, github: labGithub(profile) };
  const common = {
    images,
    log: { level: 'info' },
    platform: platformOf(profile),
    lxd: targets.lxd,
    temporal: { ...targets.temporal, namespace: 'default' },
    sealing: { keyFile: sealing },
    identity: { adapter: 'local', local: { keyFile: identityKey, usersFile: users } },
  };
  const api = {
    ...common,
    images: { ...images, webhookSecretFile: webhookSecret },
    listen: `127.0.0.1:${profile.ports.api}`,
    publicUrl: profile.urls.api,
  };
  const worker = {
    ...common,
    listen: `127.0.0.1:${profile.ports.worker}`,
    kubernetes: { kubeconfig: targets.kubeconfigs.worker, namespace: NAMESPACE },
    sweep: { intervalSeconds: 60 },
    ...clusterSettings(profile),
    gateway: { entryPoints: [`127.0.0.1:${profile.ports.websecure}`], drainSeconds: 0.25, portsGateways: targets.portsGateways ?? [] },
    ...(targets.dnsResolvers ? { dns: { resolvers: targets.dnsResolvers } } : {}),
  };
  const { hostLink } = profile.network;
  const gateway = {
    role: 'http',
    log: common.log,
    listen: `127.0.0.1:${profile.ports.gateway}`,
    kubernetes: { kubeconfig: targets.kubeconfigs.gateway, namespace: NAMESPACE },
    temporal: common.temporal,
    http: { listen: `${hostLink.host}:${profile.ports.gatewayHttp}`, tlsListen: `${hostLink.host}:${profile.ports.gatewayTls}` },
  };
  writeFileSync(configFile(profile, 'gateway'), stringify(gateway), { mode: 0o600 });
  writeFileSync(configFile(profile, 'api'), stringify(api), { mode: 0o600 });
  writeFileSync(configFile(profile, 'worker'), stringify(worker), { mode: 0o600 });
}

/** What stands for GitHub in the lab, a simulator: a part of the configuration of whoever reads releases. */
export function labGithub({ ports }: Profile) {
  const url = `http://127.0.0.1:${ports.github}`;
  return { baseUrl: url, webUrl: url, assetHosts: [`127.0.0.1:${ports.githubStorage}`], allowPrivateAddresses: true };
}

export function apiProcess(profile: Profile, env?: Settings): LabProcess {
  return appProcess(profile, 'api', env, `${profile.urls.api}/health/ready`);
}

export function workerProcess(profile: Profile, env?: Settings): LabProcess {
  return appProcess(profile, 'worker', env, `http://127.0.0.1:${profile.ports.worker}/health/ready`);
}

/** The gateway's role `http`. */
export function gatewayProcess(profile: Profile, env?: Settings): LabProcess {
  return appProcess(profile, 'gateway', env, `http://127.0.0.1:${profile.ports.gateway}/health/ready`);
}

/** A bearer token of the local identity adapter, valid for 30 days unless told otherwise. */
export function tokenFor(
  profile: Profile,
  user: { id: number; isAdmin?: boolean },
  { ttlSeconds = 30 * 24 * 3600, version = 1 }: TokenOptions = {},
): string {
  const key = readFileSync(join(profile.paths.apps, 'identity.key'), 'utf8').trim();
  const now = Math.floor(Date.now() / 1000);
  const times = { iat: now, nbf: now - 5, exp: now + ttlSeconds };
  const claims = { sub: String(user.id), ...times, iss: 'webspaces-local', aud: ['auth'], is_admin: user.isAdmin ?? false, version };
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

/** A second process of an app beside the lab's: with its configuration but for what is given. */
export function besideProcess(profile: Profile, app: App, changes: object, readyUrl: string): LabProcess {
  return appProcess(profile, app, {}, readyUrl, writeConfigBeside(profile, app, changes));
}

/** Writes the configuration of a second process of that name, and gives that one's name. */
export function writeConfigBeside(profile: Profile, name: string, changes: object): string {
  const beside = `${name}-beside`;
  const common = parse(readFileSync(configFile(profile, name), 'utf8')) as object;
  writeFileSync(configFile(profile, beside), stringify({ ...common, ...changes }), { mode: 0o600 });
  return beside;
}

function appProcess(profile: Profile, app: App, env: Settings = {}, readyUrl: string, name: string = app): LabProcess {
  const root = projectRoot();
  const config = configFile(profile, name);
  return new LabProcess(profile, {
    name,
    spec: () => ({
      command: process.execPath,
      args: ['--enable-source-maps', join(root, 'dist', 'apps', app, 'main.js'), '--config', config],
      cwd: root,
      env,
      inputs: codeHash(root) + configInputs(config),
    }),
    healthy: async () => (await http(readyUrl, { timeoutMs: 2_000 })).status === 200,
    readyTimeoutMs: 60_000,
    stopTimeoutMs: 15_000,
  });
}

/** The configuration, and the kubeconfig it names. */
export function configInputs(file: string): string {
  const text = readFileSync(file, 'utf8');
  const { kubernetes } = parse(text) as { kubernetes?: { kubeconfig: string } };
  return kubernetes ? text + readFileSync(kubernetes.kubeconfig, 'utf8') : text;
}

/** Changes when the built code of our processes does. */
export function codeHash(root: string): string {
  const folders = ['apps', 'workflows', 'activities', 'libs'].map((name) => join(root, 'dist', name));
  return hashFiles(folders.flatMap((folder) => filesBelow(folder, (name) => name.endsWith('.js') && !name.endsWith('.spec.js'))));
}

/** Of the process of that name. */
export function configFile(profile: Profile, name: string): string {
  return join(profile.paths.apps, `${name}.yaml`);
}

function platformOf({ baseDomain, network, ports }: Profile) {
  return {
    baseDomain,
    instancePrefix: 'ws-',
    profiles: ['default'],
    network: network.bridge,
    addressRange: network.staticRange,
    entryPoint: 'websecure',
    defaultTlsSecret: 'webspaces-default-tls',
    certificateIssuer: ISSUER,
    publicPort: ports.websecure,
  };
}

function sampleUsers() {
  return Object.entries(SAMPLE_USERS).map(([username, { id, isAdmin }]) => ({ id, username, version: 1, ...(isAdmin ? { isAdmin } : {}) }));
}
