import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { codeHash, configFile, configInputs, type Settings, writeConfigBeside } from './apps.js';
import { kubeconfigOf } from './cluster-objects.js';
import { http } from './http.js';
import { LabProcess, type ProcessSpec } from './process.js';
import { NAMESPACE, type Profile } from './profile.js';
import { projectRoot } from './project.js';

/** Where the gateway of forwarded ports says what it does: health, metrics, status. */
export function gatewayPortsUrl({ network, ports }: Profile, port = ports.gatewayPorts): string {
  return `http://${network.hostLink.router}:${port}`;
}

/** Configuration and kubeconfig of the gateway of forwarded ports; the other end of the link is where it finds Kubernetes and Temporal. */
export function writeGatewayPortsFiles(profile: Profile): void {
  const { ports, network, paths, urls } = profile;
  const { host, router } = network.hostLink;
  const kubeconfig = join(paths.kubeconfigs, 'gateway-ports.yaml');
  const usual = readFileSync(kubeconfigOf(profile, 'webspaces-kuberouter'), 'utf8');
  writeFileSync(kubeconfig, usual.replace(urls.kubernetes, `https://${host}:${ports.kubernetes}`), { mode: 0o600 });
  const config = {
    role: 'ports',
    listen: `${router}:${ports.gatewayPorts}`,
    kubernetes: { kubeconfig, namespace: NAMESPACE },
    temporal: { address: `${host}:${ports.temporal}`, uiUrl: urls.temporalUi, namespace: 'default' },
    ports: { leaseSeconds: 2 },
  };
  mkdirSync(paths.apps, { recursive: true, mode: 0o700 });
  writeFileSync(configFile(profile, 'gateway-ports'), stringify(config), { mode: 0o600 });
}

/** One beside the lab's. */
export interface GatewayPortsBeside {
  readonly process: LabProcess;
  readonly url: string;
}

export interface BesideOptions {
  /** Sections of its configuration that differ from the first one's. */
  readonly sections?: object;
  /** Its limit of open files, if not the machine's. */
  readonly openFiles?: number;
}

/** A second one in the router's namespace; its configuration is the first one's at another port, but for the sections given. */
export function gatewayPortsBeside(profile: Profile, { sections = {}, openFiles }: BesideOptions = {}): GatewayPortsBeside {
  const port = profile.ports.gatewayPorts + 1;
  const name = writeConfigBeside(profile, 'gateway-ports', { listen: `${profile.network.hostLink.router}:${port}`, ...sections });
  const limited = openFiles === undefined ? [] : ['prlimit', `--nofile=${openFiles}:${openFiles}`];
  return { process: gatewayPortsProcess(profile, {}, { name, port, limited }), url: gatewayPortsUrl(profile, port) };
}

/** An administrator's kubeconfig that leads to Kubernetes from the router's namespace. */
export function writeRouterKubeconfig(profile: Profile, kubeconfig: string): string {
  const file = join(profile.paths.kubeconfigs, 'router-admin.yaml');
  const there = `https://${profile.network.hostLink.host}:${profile.ports.kubernetes}`;
  writeFileSync(file, readFileSync(kubeconfig, 'utf8').replace(profile.urls.kubernetes, there), { mode: 0o600 });
  return file;
}

/** One that forwards by listeners only, at the host's end of the link, as root without any capability. */
export function gatewayPortsWithoutPrivilege(profile: Profile): GatewayPortsBeside {
  const { host } = profile.network.hostLink;
  const listen = `${host}:${profile.ports.gatewayPorts + 1}`;
  const name = writeConfigBeside(profile, 'gateway-ports', {
    listen,
    ports: { forwarding: 'userspace', hostAddress: host, udpIdleSeconds: 5 },
  });
  const program = programOf(profile, name);
  const confined = ['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', ...program];
  const url = `http://${listen}`;
  return { process: processOf(profile, name, url, { command: 'setpriv', args: confined, becomes: program }), url };
}

/** Runs in the router's network namespace, as root without any capability but NET_ADMIN. */
export function gatewayPortsProcess(
  profile: Profile,
  env: Settings = {},
  { name, port, limited = [] }: { readonly name: string; readonly port: number; readonly limited?: readonly string[] } = {
    name: 'gateway-ports',
    port: profile.ports.gatewayPorts,
  },
): LabProcess {
  const program = programOf(profile, name);
  const confined = [...limited, 'setpriv', '--bounding-set=-all,+net_admin', '--inh-caps=-all', ...program];
  const args = [`--net=/run/netns/${profile.network.routerNamespace}`, ...confined];
  return processOf(profile, name, gatewayPortsUrl(profile, port), { command: 'nsenter', args, becomes: program, env });
}

function programOf(profile: Profile, name: string): string[] {
  const main = join(projectRoot(), 'dist', 'apps', 'gateway', 'main.js');
  return [process.execPath, '--enable-source-maps', main, '--config', configFile(profile, name)];
}

function processOf(
  profile: Profile,
  name: string,
  url: string,
  how: Pick<ProcessSpec, 'command' | 'args' | 'becomes' | 'env'>,
): LabProcess {
  const root = projectRoot();
  return new LabProcess(profile, {
    name,
    spec: () => ({ ...how, cwd: root, inputs: codeHash(root) + configInputs(configFile(profile, name)) }),
    healthy: async () => (await http(`${url}/health/ready`, { timeoutMs: 2_000 })).status === 200,
    readyTimeoutMs: 60_000,
    stopTimeoutMs: 15_000,
  });
}
