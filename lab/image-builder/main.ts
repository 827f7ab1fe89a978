import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { filesBelow, sha256 } from '../hash.js';
import { projectRoot } from '../project.js';
import { cacheFolder, installAtomically } from '../tools/cache.js';
import { build } from './build.js';
import { parseDefinition } from './definition.js';

/** Changes with what this folder uses of the rest of the lab. */
const FORMAT = '1';
const USAGE = 'build-incus FILE FOLDER [--type=split] [--compression=xz] [--cache-dir=FOLDER] [-o image.serial=VERSION]…';

/** Takes distrobuilder's place on this command line; an image of the same definition and options is built once. */
async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      type: { type: 'string', default: 'split' },
      compression: { type: 'string', default: 'xz' },
      'cache-dir': { type: 'string' },
      options: { type: 'string', short: 'o', multiple: true, default: [] },
    },
  });
  const [command, file, target] = positionals;
  if (command !== 'build-incus' || !file || !target || values.type !== 'split') throw new Error(`usage: ${USAGE}`);
  const text = readFileSync(file, 'utf8');
  const definition = parseDefinition(text, values.options);
  const sources = filesBelow(join(projectRoot(), 'lab/image-builder'), (name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'));
  const key = sha256(
    FORMAT,
    text,
    ...sources.map((source) => readFileSync(source)),
    JSON.stringify([values.compression, definition]),
  ).slice(0, 16);
  const cached = join(cacheFolder(), 'images', `definition-${key}`);
  const say = (step: string) => console.log(`${definition.image.variant}: ${step}`);
  if (existsSync(cached)) say('built before, taken from the cache');
  else await installAtomically(cached, (folder) => build(definition, folder, { compression: values.compression, say }));
  mkdirSync(target, { recursive: true });
  cpSync(cached, target, { recursive: true });
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
