import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { projectRoot } from '../project.js';

const FOLDER = join(projectRoot(), 'deploy', 'docker');

test('each container file begins with an image that a build argument can pin', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.Dockerfile'));
  expect(files.length).toBeGreaterThan(5);
  for (const file of files) {
    const lines = readFileSync(join(FOLDER, file), 'utf8').split('\n');
    const first = lines.findIndex((line) => line.startsWith('FROM '));
    expect({ file, args: lines.slice(0, first).filter((line) => line.startsWith('ARG ')) }).toEqual({
      file,
      args: ['ARG BASE=node:20-bookworm-slim'],
    });
    for (const line of lines.filter((one) => one.startsWith('FROM '))) expect(line).toMatch(/^FROM \$\{BASE\}( AS \w+)?$/);
  }
});
