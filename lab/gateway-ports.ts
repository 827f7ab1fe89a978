import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { codeHash, configFile, configInputs, type Settings, writeConfigBeside } from './apps.js';
import { kubeconfigOf } from './cluster-objects.js';
import { http } from './http.js';
import { LabProcess } from './process.js';
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
  const usual = readFileSync(kubeconfigOf(profile, 'webspaces-gateway'), 'utf8');
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

/** A second one beside the lab's; its configuration is the first one's at another port. */
export function gatewayPortsBeside(profile: Profile): { readonly process: LabProcess; readonly url: string } {
  const port = profile.ports.gatewayPorts + 1;
  const name = writeConfigBeside(profile, 'gateway-ports', { listen: `${profile.network.hostLink.router}:${port}` });
  return { process: gatewayPortsProcess(profile, {}, { name, port }), url: gatewayPortsUrl(profile, port) };
}

/** Runs in the router's network namespace, as root without any capability but NET_ADMIN. */
export function gatewayPortsProcess(
  profile: Profile,
  env: Settings = {},
  { name, port }: { readonly name: string; readonly port: number } = { name: 'gateway-ports', port: profile.ports.gatewayPorts },
): LabProcess {
  const root = projectRoot();
  const config = configFile(profile, name);
  const program = [process.execPath, '--enable-source-maps', join(root, 'dist', 'apps', 'gateway', 'main.js'), '--config', config];
  const confined = ['setpriv', '--bounding-set=-all,+net_admin', '--inh-caps=-all', ...program];
  return new LabProcess(profile, {
    name,
    spec: () => ({
      command: 'nsenter',
      args: [`--net=/run/netns/${profile.network.routerNamespace}`, ...confined],
      becomes: program,
      cwd: root,
      env,
      inputs: codeHash(root) + configInputs(config),
    }),
    healthy: async () => (await http(`${gatewayPortsUrl(profile, port)}/health/ready`, { timeoutMs: 2_000 })).status === 200,
    readyTimeoutMs: 30_000,
    stopTimeoutMs: 15_000,
  });
}
