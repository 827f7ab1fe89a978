#!/usr/bin/env node
// Compiles TypeScript into dist/ with the SWC builder of nest-cli and bundles the workflows once, so that workers start without a bundler.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
execFileSync('node', ['node_modules/@nestjs/cli/bin/nest.js', 'build', 'api'], { stdio: 'inherit' });
execFileSync('node', ['dist/apps/worker/bundle.js'], { stdio: 'inherit' });
