#!/usr/bin/env node
// Everything that can be said without running the project: format, lint, types, boundaries, dead code, links in the docs, docker-compose.yml.
import { spawnSync } from 'node:child_process';
import { brokenLinks } from './doc-links.mjs';

const bin = (name) => `node_modules/.bin/${name}`;
const CHECKS = [
  ['format and lint', bin('biome'), ['ci', '--colors=off', '--error-on-warnings', '.']],
  ['types', bin('tsc'), ['-p', '.']],
  ['boundaries', bin('depcruise'), ['--config', '.dependency-cruiser.mjs', 'apps', 'activities', 'workflows', 'libs', 'lab', 'test']],
  ['dead code', bin('knip'), []],
];

let failed = 0;
for (const [name, command, args] of CHECKS) {
  const begun = Date.now();
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  report(name, status === 0, Date.now() - begun, `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`);
}
const broken = brokenLinks();
report('links in the docs', broken.length === 0, 0, broken.join('\n'));
compose();
process.exitCode = failed === 0 ? 0 : 1;

function report(name, ok, tookMs, output) {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${(tookMs / 1000).toFixed(1)} s)`);
  if (ok) return;
  failed += 1;
  console.log(output.trimEnd());
}

/** Where no Docker engine runs, `config` is all that can be checked of docker-compose.yml. */
function compose() {
  const { status, stderr, error } = spawnSync('docker-compose', ['config', '-q'], { encoding: 'utf8' });
  if (error) {
    console.log('skip docker-compose.yml: docker-compose is not installed (npm test installs it)');
    return;
  }
  report('docker-compose.yml', status === 0, 0, stderr);
}
