import { readFileSync } from 'node:fs';
import { kubeconfigOf } from './cluster-objects.js';
import { http } from './http.js';
import { LabProcess } from './process.js';
import { NAMESPACE, type Profile } from './profile.js';
import type { Tools } from './tools/resolve.js';

/** The stock Traefik: it reads routes of one namespace and knows nothing of webspaces. */
export function traefikProcess(profile: Profile, tools: Tools): LabProcess {
  const { ports } = profile;
  const kubeconfig = kubeconfigOf(profile, 'traefik');
  const args = [
    '--providers.kubernetescrd=true',
    `--providers.kubernetescrd.namespaces=${NAMESPACE}`,
    '--providers.kubernetescrd.disableclusterscoperesources=true',
    '--providers.providersThrottleDuration=50ms',
    `--entrypoints.web.address=127.0.0.1:${ports.web}`,
    `--entrypoints.web.http.redirections.entrypoint.to=:${ports.websecure}`,
    '--entrypoints.web.http.redirections.entrypoint.scheme=https',
    `--entrypoints.websecure.address=127.0.0.1:${ports.websecure}`,
    '--entrypoints.websecure.http.tls=true',
    `--entrypoints.traefik.address=127.0.0.1:${ports.traefik}`,
    '--ping=true',
    '--api.insecure=true',
    '--log.level=INFO',
    '--log.nocolor=true',
    '--global.checknewversion=false',
    '--global.sendanonymoususage=false',
  ];
  return new LabProcess(profile, {
    name: 'traefik',
    spec: () => ({ command: tools.traefik, args, env: { KUBECONFIG: kubeconfig }, inputs: readFileSync(kubeconfig, 'utf8') }),
    healthy: async () => (await http(`${profile.urls.traefik}/ping`, { timeoutMs: 2_000 })).status === 200,
    readyTimeoutMs: 15_000,
    stopTimeoutMs: 15_000,
  });
}
