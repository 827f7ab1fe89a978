import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { run } from '#lab/exec.js';
import { projectRoot } from '#lab/project.js';

export interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
}

export interface Workflow {
  readonly permissions: unknown;
  readonly jobs: Readonly<Record<string, { readonly permissions?: Readonly<Record<string, string>>; readonly steps: readonly Step[] }>>;
}

const TIMEOUT_MS = 20 * 60_000;
/** The runner's own account may become root; here everything is root. */
const SUDO = '#!/bin/sh\nexec "$@"\n';

export function readWorkflow(): Workflow {
  return parse(readFileSync(join(projectRoot(), 'deploy/github/publish-image.yml'), 'utf8')) as Workflow;
}

/** Runs steps of deploy/github/publish-image.yml as they are written there, in a folder like a runner's. */
export class WorkflowSteps {
  readonly assets: string;

  constructor(
    readonly folder: string,
    private readonly env: Readonly<Record<string, string>>,
  ) {
    this.assets = join(folder, 'assets');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, 'bin'), { recursive: true });
    for (const checkout of ['source', 'tools']) symlinkSync(projectRoot(), join(folder, checkout));
    writeFileSync(join(folder, 'bin/sudo'), SUDO);
    chmodSync(join(folder, 'bin/sudo'), 0o755);
  }

  /** What the step printed. `env` is what the workflow gives to this step alone. */
  async run(job: string, name: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const script = readWorkflow().jobs[job]?.steps.find((step) => step.name === name)?.run;
    if (script === undefined) throw new Error(`the workflow's job ${job} has no step ${name}`);
    const output = join(this.folder, 'output');
    const all = { ...(process.env as Record<string, string>), ...this.env, ...env, GITHUB_OUTPUT: output, RUNNER_TEMP: this.folder };
    const PATH = `${join(this.folder, 'bin')}:${process.env['PATH']}`;
    return run('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], {
      ...{ cwd: this.folder, env: { ...all, PATH }, timeoutMs: TIMEOUT_MS },
    });
  }

  /** What steps have written for later ones. */
  outputs(): Record<string, string> {
    const file = join(this.folder, 'output');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  }
}
