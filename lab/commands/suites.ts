import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../arguments.js';
import { checkComposeFile } from '../compose-check.js';
import { withLock, withSuiteLock } from '../lock.js';
import { type ProfileName, parseProfile } from '../profile.js';
import { bold, green, red, seconds } from '../progress.js';
import { projectRoot } from '../project.js';
import { removeLab } from '../removal.js';

interface Stage {
  readonly title: string;
  /** A program, or work of our own that throws when it fails. */
  readonly command: readonly string[] | (() => Promise<string>);
  readonly env?: Readonly<Record<string, string>>;
}

const NODE_MODULES = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
const jest = (args: readonly string[]) => ['node', ...NODE_MODULES, ...args];

const COMPOSE: Stage = { title: 'docker-compose.yml (read only, nothing is started)', command: () => checkComposeFile() };

/** `npm test`: checks, unit specs, then the whole system on a lab of its own, which is removed at the end. */
export function test(args: readonly string[]): Promise<number> {
  return onLab('test', [
    ...(args.length > 0 ? [] : [{ title: 'check', command: ['node', 'tools/check.mjs'] }, { title: 'specs', command: jest([]) }, COMPOSE]),
    { title: 'whole system', command: jest(['--runInBand', ...args]), env: { WEBSPACES_SUITE: 'e2e' } },
  ]);
}

/** `npm run test:full`: the same with full counts. */
export function testFull(args: readonly string[]): Promise<number> {
  const env = { WEBSPACES_SUITE: 'e2e', WEBSPACES_COUNTS: 'full' };
  return onLab('test', [{ title: 'whole system, full counts', command: jest(['--runInBand', ...args]), env }]);
}

export function bench(args: readonly string[]): Promise<number> {
  return onLab('bench', [{ title: 'bench', command: ['node', builtProgram('bench'), ...args] }]);
}

export function crashMatrix(args: readonly string[]): Promise<number> {
  return onLab('crash', [{ title: 'crash matrix', command: ['node', builtProgram('crash-matrix'), ...args] }]);
}

/** test/<name>/main.ts, built. */
function builtProgram(name: string): string {
  const file = join(projectRoot(), 'dist', 'test', name, 'main.js');
  if (!existsSync(file)) throw new UsageError(`test/${name}/main.ts does not exist`);
  return file;
}

function onLab(profileName: ProfileName, stages: readonly Stage[]): Promise<number> {
  const profile = parseProfile(process.env['WEBSPACES_LAB'] ?? profileName);
  return withSuiteLock(profile, async () => {
    // What a broken-off run left would be taken for the new one's.
    await withLock(profile, () => removeLab(profile));
    let failed: string | undefined;
    try {
      failed = await firstFailure(stages);
    } finally {
      const { left } = await withLock(profile, () => removeLab(profile));
      for (const what of left) console.error(red(`left     ${what}`));
      if (left.length > 0) failed ??= 'removal of the lab';
    }
    if (failed) console.error(red(`\nFailed: ${failed}`));
    return failed ? 1 : 0;
  });
}

async function firstFailure(stages: readonly Stage[]): Promise<string | undefined> {
  for (const stage of stages) {
    const begin = Date.now();
    console.log(bold(`\n── ${stage.title}`));
    const code = await runStage(stage);
    console.log(code === 0 ? green(`${stage.title}: passed (${seconds(Date.now() - begin)})`) : red(`${stage.title}: exit ${code}`));
    if (code !== 0) return stage.title;
  }
  return undefined;
}

async function runStage({ command, env }: Stage): Promise<number> {
  if (typeof command !== 'function') return inherit(command, env);
  console.log(`accepted by ${await command()}`);
  return 0;
}

function inherit(command: readonly string[], env: Stage['env']): Promise<number> {
  const child = spawn(command[0] as string, command.slice(1), { stdio: 'inherit', cwd: projectRoot(), env: { ...process.env, ...env } });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
