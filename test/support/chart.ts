import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { CHART } from '#lab/chart/helm.js';
import { tryRun } from '#lab/exec.js';
import { projectRoot } from '#lab/project.js';
import type { RbacObject } from './rights.js';

export const EXAMPLES = ['one-node', 'society', 'machines', 'many-nodes'] as const;
type Example = (typeof EXAMPLES)[number];

export const valuesOf = (example: Example) => join(CHART, 'examples', `${example}.yaml`);

/** What `helm template` renders. */
export interface Manifest extends RbacObject {
  readonly data?: Readonly<Record<string, string>>;
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly securityContext: { readonly capabilities: { readonly drop: readonly string[]; readonly add?: readonly string[] } };
  readonly args?: readonly string[];
  readonly volumeMounts?: readonly { readonly mountPath: string }[];
  readonly resources: { readonly limits?: Readonly<Record<string, string | number>> };
}

export interface Workload extends Manifest {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly serviceAccountName?: string;
        readonly automountServiceAccountToken?: boolean;
        readonly initContainers?: readonly Container[];
        readonly containers: readonly Container[];
        readonly volumes: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
      };
    };
  };
}

export function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => (document.toJS() as Manifest | null) ?? []);
}

/** By file name, what the ConfigMaps hold for processes. */
export function configurationsOf(objects: readonly Manifest[]): [string, string][] {
  const maps = objects.filter(({ kind }) => kind === 'ConfigMap');
  return maps.flatMap(({ data = {} }) => Object.entries(data)).filter(([name]) => name.endsWith('.yaml'));
}

/** Of a process, by its ConfigMap and file. */
export function configurationOf(objects: readonly Manifest[], map: string, file: string): unknown {
  const found = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === map);
  return parse(found?.data?.[file] ?? '');
}

export const workerOf = (objects: readonly Manifest[]) => configurationOf(objects, 'webspaces-worker', 'worker.yaml');

export function workloadsOf(objects: readonly Manifest[]): Workload[] {
  return objects.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet') as Workload[];
}

/** Files of Secrets that a process is told of by its configuration, and that its container does not have. */
export function filesNotMounted(objects: readonly Manifest[]): string[] {
  const texts = new Map(
    objects
      .filter(({ kind }) => kind === 'ConfigMap')
      .flatMap(({ metadata, data = {} }) => Object.entries(data).map(([file, text]) => [`${metadata.name}/${file}`, text] as const)),
  );
  return workloadsOf(objects).flatMap(({ metadata, spec }) => {
    const { containers, volumes } = spec.template.spec;
    const map = volumes.find(({ name }) => name === 'config')?.configMap?.name;
    return containers.flatMap(({ name, args = [], volumeMounts = [] }) => {
      const text = texts.get(`${map}/${args.at(-1)?.replace('/etc/webspaces/', '')}`) ?? '';
      const told = [...text.matchAll(/\/run\/webspaces\/[\w./-]+/g)].map(([path]) => path);
      const missing = told.filter((path) => !volumeMounts.some(({ mountPath }) => `${path}/`.startsWith(`${mountPath}/`)));
      return missing.map((path) => `${metadata.name}/${name}: ${path}`);
    });
  });
}

/** What a pod says of itself by its environment. */
const FROM_THE_POD: Readonly<Record<string, Record<string, string>>> = {
  gateway: { WEBSPACES__PORTS__POD_NAME: 'router-0' },
  kuberouter: { WEBSPACES__STANDBY__POD_NAME: 'router-0' },
  'lxd8s-member': { WEBSPACES__MEMBER: 'lxd-0' },
};

/** What the process says of a file of its configuration, whose secrets and other files are in this folder instead. */
export async function verdictOf(folder: string, process_: string, text: string): Promise<string> {
  const secrets = join(folder, 'secrets');
  const file = join(folder, `${process_}.yaml`);
  const config = text.replaceAll(/\/run\/webspaces\/|\/etc\/webspaces-/g, `${secrets}/`);
  for (const [path] of config.matchAll(new RegExp(`${secrets}/[\\w./-]+`, 'g'))) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '-');
  }
  writeFileSync(file, config);
  const main = join(projectRoot(), 'dist', 'apps', process_.replace('-', '/'), 'main.js');
  const args = [main, '--config', file, '--print-config'];
  const { exitCode, stdout, stderr } = await tryRun(process.execPath, args, { timeoutMs: 30_000, env: FROM_THE_POD[process_] ?? {} });
  return exitCode === 0 && stdout !== '' ? 'accepted' : `${exitCode}: ${stderr}`;
}
