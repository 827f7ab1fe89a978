#!/usr/bin/env node
// `npm run webspaces -- images check DIR`: whether a folder with the assets of one release can be published as an image. Exit 0 when it can, 1 when there
// is a problem, 2 when it was called wrongly. Runs on what `npm run build` made. `… -- upgrade`, `… -- scale`: cluster-commands.mjs.
import { existsSync } from 'node:fs';
import { CLUSTER_USAGE, clusterCommand } from './cluster-commands.mjs';

const built = new URL('../dist/libs/image-archive/check-release.js', import.meta.url);
const [group, command, directory, ...more] = process.argv.slice(2);
if (group === 'upgrade' || group === 'scale') process.exitCode = await clusterCommand(group, process.argv.slice(3));
else if (group !== 'images' || command !== 'check' || directory === undefined || more.length > 0) {
  console.error(`Usage: npm run webspaces -- images check DIR\n       ${CLUSTER_USAGE}`);
  process.exitCode = 2;
} else if (!existsSync(built)) {
  console.error('This runs on compiled files. Make them first: npm run build');
  process.exitCode = 2;
} else await check(directory);

async function check(folder) {
  const { checkRelease } = await import(built.href);
  let result;
  try {
    result = await checkRelease(folder);
  } catch (error) {
    console.error(`${folder} cannot be read: ${error.message}`);
    process.exitCode = 2;
    return;
  }
  for (const [architecture, lines] of result.architectures) console.log([architecture, ...lines].join('\n  '));
  if (result.unused.length > 0) console.log(`not part of an image: ${result.unused.join(', ')}`);
  for (const problem of result.problems) console.log(`PROBLEM ${problem}`);
  const { length } = result.problems;
  console.log(length === 0 ? 'ok: this can be published' : `${length} problem${length === 1 ? '' : 's'}`);
  process.exitCode = length === 0 ? 0 : 1;
}
