import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
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
  /** Jest: its own counts are added up; any other stage counts as one. */
  readonly jest?: true;
  /** The lab it runs on, removed before and after it; none when absent. */
  readonly profile?: ProfileName;
}

const NODE_MODULES = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];

function jestStage(title: string, args: readonly string[], rest: Partial<Stage> = {}): Stage {
  return { title, command: ['node', ...NODE_MODULES, ...args], jest: true, ...rest };
}

const SLOWEST = 12;

const COMPOSE: Stage = { title: 'docker-compose.yml (read only, nothing is started)', command: () => checkComposeFile() };
const wholeSystem = (args: readonly string[], counts: 'short' | 'full', title = 'whole system') =>
  jestStage(title, ['--runInBand', ...args], { env: { WEBSPACES_SUITE: 'e2e', WEBSPACES_COUNTS: counts }, profile: 'test' });
/** Files that need real nodes have labs of their own: a lab that has nodes keeps them. Those of whole upgrades have our processes in theirs. */
const NODES = 'test/e2e/cluster-';
const UPGRADES = 'test/e2e/upgrade-';
/** The members' network in network namespaces of its own: no lab at all. */
const LAN = 'test/e2e/lan-';
const inE2e = (name: string) => `test/e2e/${name}`;
/** What `npm run test:full` covers alone, as whole files, and test/full-only.txt names; by its name each runs with any counts. */
const FULL_ONLY = [
  ...['cluster-deadlock', 'cluster-vm', 'upgrade-gitops', 'upgrade-lockstep', 'upgrade-orders', 'upgrade-scale', 'upgrade-volumes'].map(
    inE2e,
  ),
  ...['image-import-kills', 'image-server-load', 'many-forwards', 'stream-load'].map(inE2e),
  ...['test/lab/', 'test/races/existing-unharmed', 'test/races/terminate'],
];
/** Nothing of ours is in node_modules, which stands for a list that must not be empty. */
const leftOut = (counts: 'short' | 'full') => ['/node_modules/', ...(counts === 'full' ? [] : FULL_ONLY)];
const wholeSystems = (counts: 'short' | 'full') => [
  jestStage("members' network", ['--runInBand', LAN], { env: { WEBSPACES_SUITE: 'e2e', WEBSPACES_COUNTS: counts } }),
  wholeSystem(['--testPathIgnorePatterns', LAN, NODES, UPGRADES, ...leftOut(counts)], counts),
  wholeSystem([NODES, '--testPathIgnorePatterns', ...leftOut(counts)], counts, 'clusters on real nodes'),
  wholeSystem([UPGRADES, '--testPathIgnorePatterns', ...leftOut(counts)], counts, 'upgrades of clusters'),
];

/** `npm test`: checks, unit specs, then the whole system on labs of its own, which are removed at the end. With arguments: only those e2e files. */
export function test(args: readonly string[]): Promise<number> {
  if (args.length > 0) return runStages([wholeSystem(args, 'short')]);
  return runStages([
    { title: 'check', command: ['node', 'tools/check.mjs'] },
    jestStage('specs', []),
    COMPOSE,
    ...wholeSystems('short'),
    program('crash-matrix', 'crash', ['--short']),
  ]);
}

/** `npm run test:full`: the whole system with full counts. */
export function testFull(args: readonly string[]): Promise<number> {
  if (args.length > 0) return runStages([wholeSystem(args, 'full')]);
  return runStages([...wholeSystems('full'), program('crash-matrix', 'crash', [])]);
}

export function bench(args: readonly string[]): Promise<number> {
  return runStages([program('bench', 'bench', args)]);
}

export function crashMatrix(args: readonly string[]): Promise<number> {
  return runStages([program('crash-matrix', 'crash', args)]);
}

function program(name: string, profile: ProfileName, args: readonly string[]): Stage {
  return { title: `${name} ${args.join(' ')}`.trim(), command: ['node', builtProgram(name), ...args], profile };
}

/** test/<name>/main.ts, built. */
function builtProgram(name: string): string {
  const file = join(projectRoot(), 'dist', 'test', name, 'main.js');
  if (!existsSync(file)) throw new UsageError(`test/${name}/main.ts does not exist`);
  return file;
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** Every stage runs, whatever became of the one before; the last line is `N passed, N failed`. */
async function runStages(stages: readonly Stage[]): Promise<number> {
  const total = { passed: 0, failed: 0 };
  for (const stage of stages) {
    const begin = Date.now();
    console.log(bold(`\n── ${stage.title}`));
    const { passed, failed } = stage.profile ? await onLab(stage.profile, () => runStage(stage)) : await runStage(stage);
    total.passed += passed;
    total.failed += failed;
    const text = `${stage.title}: ${passed} passed, ${failed} failed (${seconds(Date.now() - begin)})`;
    console.log(failed === 0 ? green(text) : red(text));
  }
  console.log(`\n${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

async function onLab(profileName: ProfileName, run: () => Promise<Counts>): Promise<Counts> {
  const profile = parseProfile(process.env['WEBSPACES_LAB'] ?? profileName);
  return withSuiteLock(profile, async () => {
    // What a broken-off run left would be taken for the new one's.
    await withLock(profile, () => removeLab(profile));
    let counts: Counts = { passed: 0, failed: 1 };
    try {
      counts = await run();
    } finally {
      const { left } = await withLock(profile, () => removeLab(profile));
      for (const what of left) console.error(red(`left     ${what}`));
      if (left.length > 0) counts = { ...counts, failed: counts.failed + 1 };
    }
    return counts;
  });
}

async function runStage({ command, env, jest }: Stage): Promise<Counts> {
  if (typeof command === 'function') {
    try {
      console.log(`accepted by ${await command()}`);
      return { passed: 1, failed: 0 };
    } catch (error) {
      console.error(red(error instanceof Error ? error.message : String(error)));
      return { passed: 0, failed: 1 };
    }
  }
  if (!jest) return (await inherit(command, env)) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  const folder = mkdtempSync(join(tmpdir(), 'webspaces-jest-'));
  try {
    const report = join(folder, 'report.json');
    const code = await inherit([...command, '--json', `--outputFile=${report}`], env);
    return countsOf(code, report);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Jest's own counts. A test that was skipped counts as failed, and so does a run that ended badly although no test did. */
function countsOf(code: number, reportFile: string): Counts {
  if (!existsSync(reportFile)) return { passed: 0, failed: 1 };
  const report = JSON.parse(readFileSync(reportFile, 'utf8')) as JestReport;
  console.log(slowestOf(report));
  const broken = report.numFailedTests + report.numRuntimeErrorTestSuites + report.numPendingTests + report.numTodoTests;
  return { passed: report.numPassedTests, failed: code !== 0 && broken === 0 ? 1 : broken };
}

/** What a stage's time went to, for whoever has to make it shorter. */
function slowestOf({ testResults }: JestReport): string {
  const tests = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ duration, fullName }) => ({ ms: duration ?? 0, text: `${relative(projectRoot(), name)}: ${fullName}` })),
  );
  const slowest = tests.sort((one, other) => other.ms - one.ms).slice(0, SLOWEST);
  return ['the slowest of them:', ...slowest.map(({ ms, text }) => `${seconds(ms).padStart(9)}  ${text.slice(0, 150)}`)].join('\n');
}

interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly duration?: number | null }[];
  }[];
}

function inherit(command: readonly string[], env: Stage['env']): Promise<number> {
  const child = spawn(command[0] as string, command.slice(1), { stdio: 'inherit', cwd: projectRoot(), env: { ...process.env, ...env } });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
