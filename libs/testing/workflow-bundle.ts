import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundle } from '@temporalio/worker';

const root = join(import.meta.dirname, '../..');
const CACHE = join(root, 'node_modules/.cache/workflow-bundles');
const SOURCES = ['workflows', 'libs', 'package-lock.json'];

/** All workflows in one bundle: the one of the build where this is compiled, else one that is made once of the same sources, which takes seconds. */
export async function workflowBundle(): Promise<WorkflowBundle> {
  if (existsSync(join(root, 'workflows/bundle.cjs'))) return { code: readFileSync(join(root, 'workflows/bundle.cjs'), 'utf8') };
  const file = join(CACHE, `${hashOfSources()}.js`);
  if (!existsSync(file)) {
    const { code } = await bundleWorkflowCode({ workflowsPath: join(root, 'workflows/index.ts'), logger: new DefaultLogger('ERROR') });
    mkdirSync(CACHE, { recursive: true });
    const whole = `${file}.${process.pid}`;
    writeFileSync(whole, code);
    renameSync(whole, file);
  }
  return { code: readFileSync(file, 'utf8') };
}

function hashOfSources(): string {
  const hash = createHash('sha256');
  for (const path of SOURCES.flatMap((source) => filesOf(join(root, source)))) hash.update(path).update(readFileSync(path));
  return hash.digest('hex').slice(0, 16);
}

function filesOf(path: string): string[] {
  if (path.endsWith('.json')) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => /(?<!\.spec)\.ts$/.test(name))
    .sort()
    .map((name) => join(path, name));
}
