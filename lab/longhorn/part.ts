import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeHash } from '../apps.js';
import { applyManifests } from '../cluster-objects.js';
import { filesBelow, hashFiles } from '../hash.js';
import { http } from '../http.js';
import { KubeClient } from '../kube-client.js';
import { LabProcess } from '../process.js';
import type { Profile } from '../profile.js';
import { projectRoot } from '../project.js';
import { LONGHORN_DEFINITIONS } from '../tools/catalogue.js';
import { definitions, type ResolveOptions, type Tools } from '../tools/resolve.js';
import { waitFor } from '../wait.js';

export const LONGHORN_NAMESPACE = 'longhorn-system';
const KINDS = '/apis/longhorn.io/v1beta2';
const MARKER = `/api/v1/namespaces/${LONGHORN_NAMESPACE}/configmaps/lab-applied`;

export interface LonghornPlace {
  /** The administrator's. */
  readonly kubeconfig: string;
  /** Whose claims get volumes. */
  readonly claimsNamespace: string;
  /** Where the objects are, `longhorn-system` unless given: two simulators share none. */
  readonly namespace?: string;
}

/** Installs Longhorn's definitions and starts its simulator. */
export async function ensureLonghorn(profile: Profile, tools: Tools, place: LonghornPlace): Promise<string> {
  await ensureLonghornDefinitions(tools, place.kubeconfig);
  return longhornProcess(profile, place).ensure();
}

/** A second simulator beside the lab's, for tests. */
export function longhornBeside(profile: Profile, place: Required<LonghornPlace>): LabProcess {
  return simulatorProcess(profile, place, { name: 'longhorn-beside', port: profile.ports.longhorn + 1 });
}

/** The simulator of Longhorn. Its definitions must be there ({@link ensureLonghorn}). */
export function longhornProcess(profile: Profile, place: LonghornPlace): LabProcess {
  return simulatorProcess(profile, place, { name: 'longhorn', port: profile.ports.longhorn });
}

function simulatorProcess(
  profile: Profile,
  { kubeconfig, claimsNamespace, namespace = LONGHORN_NAMESPACE }: LonghornPlace,
  { name, port }: { readonly name: string; readonly port: number },
): LabProcess {
  const root = projectRoot();
  const folder = join(root, 'dist', 'lab', 'longhorn');
  return new LabProcess(profile, {
    name,
    spec: () => ({
      command: process.execPath,
      args: ['--enable-source-maps', join(folder, 'main.js'), kubeconfig, namespace, claimsNamespace, String(port)],
      cwd: root,
      inputs: codeHash(root) + hashFiles(filesBelow(folder, (file) => file.endsWith('.js'))) + readFileSync(kubeconfig, 'utf8'),
    }),
    healthy: async () => (await http(`http://127.0.0.1:${port}/health`, { timeoutMs: 2_000 })).status === 200,
    readyTimeoutMs: 30_000,
  });
}

/** Longhorn's real definitions and its namespace; nothing is done when they are there as they should be. */
export async function ensureLonghornDefinitions(tools: Tools, kubeconfig: string, options: ResolveOptions = {}): Promise<void> {
  const files = [join(projectRoot(), 'lab', 'longhorn', 'namespace.yaml'), await definitions(LONGHORN_DEFINITIONS, options)];
  const hash = hashFiles(files);
  const admin = KubeClient.fromKubeconfig(kubeconfig);
  const marker = await admin.get<{ data?: { hash?: string } }>(MARKER);
  if (marker?.data?.hash === hash) return;
  await applyManifests(tools, kubeconfig, files);
  await waitFor("Longhorn's kinds", async () => (await admin.request('GET', `${KINDS}/volumes`)).status === 200, { timeoutMs: 20_000 });
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'lab-applied' }, data: { hash } };
  const { status } = await admin.request('PATCH', `${MARKER}?fieldManager=lab&force=true`, object, 'application/apply-patch+yaml');
  if (status >= 300) throw new Error(`Kubernetes answered ${status} to ${MARKER}`);
}
