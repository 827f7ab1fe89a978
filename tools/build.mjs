#!/usr/bin/env node
// Compiles TypeScript with the SWC builder of nest-cli and bundles the workflows once, so that workers start without a bundler. Built aside
// and swapped in whole: what runs from dist/ meanwhile never sees half of it.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

const aside = `dist.${process.pid}`;
const config = `${aside}.nest-cli.json`;
try {
  const settings = JSON.parse(readFileSync('nest-cli.json', 'utf8'));
  settings.compilerOptions.builder.options.outDir = aside;
  writeFileSync(config, JSON.stringify(settings));
  const say = process.env.WEBSPACES_QUIET ? 'ignore' : 'inherit';
  execFileSync('node', ['node_modules/@nestjs/cli/bin/nest.js', 'build', 'api', '--config', config], { stdio: ['ignore', say, 'inherit'] });
  execFileSync('node', [`${aside}/apps/worker/bundle.js`], { stdio: 'inherit' });
  if (existsSync('dist')) renameSync('dist', `${aside}.old`);
  renameSync(aside, 'dist');
} finally {
  for (const path of [aside, `${aside}.old`, config]) rmSync(path, { recursive: true, force: true });
}
