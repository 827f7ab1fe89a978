import { readFileSync } from 'node:fs';
import { kubeconfigOf } from './cluster-objects.js';
import { http } from './http.js';
import { LabProcess } from './process.js';
import { CERT_MANAGER_NAMESPACE, type Profile } from './profile.js';
import type { Tools } from './tools/resolve.js';

/** Cert-manager's own controllers for certificates and CA issuers (lab/tools/cert-manager); no webhook and no cainjector. */
export function certManagerProcess(profile: Profile, tools: Tools): LabProcess {
  const kubeconfig = kubeconfigOf(profile, 'cert-manager');
  const listen = `127.0.0.1:${profile.ports.certManager}`;
  const args = [
    `--kubeconfig=${kubeconfig}`,
    `--cluster-resource-namespace=${CERT_MANAGER_NAMESPACE}`,
    `--healthz-listen-address=${listen}`,
  ];
  return new LabProcess(profile, {
    name: 'cert-manager',
    spec: () => ({ command: tools.certManager, args, inputs: readFileSync(kubeconfig, 'utf8') }),
    healthy: async () => (await http(`http://${listen}/livez`, { timeoutMs: 2_000 })).status === 200,
    readyTimeoutMs: 30_000,
  });
}
