import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#libs/errors/platform-error.js';
import { kernelArchitecture } from '#libs/simplestreams/architectures.js';
import { combinedNames, parseAssetName } from '#libs/simplestreams/asset-names.js';
import { parseChecksum } from '#libs/simplestreams/checksums.js';
import { parseMetadata } from '#libs/simplestreams/metadata.js';
import { planRelease } from '#libs/simplestreams/plan-release.js';
import type { ReleaseFile, Variant } from '#libs/simplestreams/types.js';
import { type Digest, digestOf, wrongBeginning } from './digest.js';
import { readMetadata } from './read-metadata.js';

/** GitHub takes files below this (docs.github.com, "About releases"). */
const GITHUB_FILE_BYTES = 2 ** 31;

export interface ReleaseCheck {
  /** What an image server would offer, a line for each file, by architecture. */
  readonly architectures: ReadonlyMap<string, readonly string[]>;
  /** Sentences that say what is wrong and what to do. Empty: the folder can be published. */
  readonly problems: readonly string[];
  /** Files that no image server looks at. */
  readonly unused: readonly string[];
}

type Files = ReadonlyMap<string, ReleaseFile<string>>;

/**
 * Checks a folder that holds the assets of one release: names, every checksum against the bytes, the metadata, how each file begins, GitHub's limit of
 * size. Files are read once and streamed. Throws only when the folder cannot be read.
 */
export async function checkRelease(directory: string): Promise<ReleaseCheck> {
  const files = await filesIn(directory);
  const problems: string[] = [];
  const plan = planRelease({
    id: 0,
    tag: 'release/v0.0.0',
    prerelease: false,
    publishedAt: new Date(0).toISOString(),
    body: '',
    files: [...files.values()],
  });
  for (const { architecture, reason } of plan.leftOut) problems.push(architecture === undefined ? reason : `${architecture}: ${reason}`);

  const fits = new Map([...files].filter(([, file]) => file.sizeBytes < GITHUB_FILE_BYTES));
  for (const { name, sizeBytes } of files.values())
    if (!fits.has(name))
      problems.push(`${name} has ${sizeBytes} bytes; GitHub takes files below 2 GiB. Make the image smaller or compress it better.`);

  const digests = await digestsOf(fits, problems);
  const { unused, sums } = await readSums(files, problems);
  compareSums({ files: fits, digests, sums }, problems);
  const architectures = new Map<string, string[]>();
  for (const variant of plan.variants) architectures.set(variant.architecture, await describe(variant, problems));
  return { architectures, problems: [...new Set(problems)], unused };
}

async function filesIn(directory: string): Promise<Files> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  const files = await Promise.all(
    names.sort().map(async (name) => {
      const id = join(directory, name);
      return { id, name, sizeBytes: (await stat(id)).size };
    }),
  );
  return new Map(files.map((file) => [file.name, file]));
}

/** Checksums of all files of images; of roots also behind their metadata. */
async function digestsOf(files: Files, problems: string[]): Promise<Map<string, Digest>> {
  const digests = new Map<string, Digest>();
  for (const { id, name } of files.values()) {
    const is = parseAssetName(name);
    if (is === undefined) continue;
    const metadata = is.kind === 'root' ? metadataOf(files, is.architecture) : undefined;
    const digest = await digestOf(id, metadata?.id);
    digests.set(name, digest);
    const wrong = wrongBeginning(is, digest.beginning);
    if (wrong !== undefined) problems.push(`${name} is not ${wrong}. Build it again, or name it as what it is.`);
  }
  return digests;
}

function metadataOf(files: Files, architecture: string): ReleaseFile<string> | undefined {
  return files.get(`lxd.${architecture}.tar.xz`) ?? files.get(`incus.${architecture}.tar.xz`);
}

/** Checksums that stand in files, by the name of the file; and what is neither a checksum nor part of an image. */
async function readSums(files: Files, problems: string[]): Promise<{ sums: Map<string, string>; unused: string[] }> {
  const sums = new Map<string, string>();
  const unused: string[] = [];
  for (const { id, name, sizeBytes } of files.values()) {
    if (parseAssetName(name) !== undefined) continue;
    const of = name.slice(0, -'.sha256'.length);
    if (!name.endsWith('.sha256') || !(files.has(of) || name.startsWith('combined.'))) {
      unused.push(name);
      continue;
    }
    try {
      sums.set(name, parseChecksum(sizeBytes > 4096 ? '' : await readFile(id, 'utf8')));
    } catch (error) {
      problems.push(`${name}: ${messageOf(error)} Make it with sha256sum.`);
    }
  }
  return { sums, unused };
}

function compareSums(
  { files, digests, sums }: { files: Files; digests: ReadonlyMap<string, Digest>; sums: ReadonlyMap<string, string> },
  problems: string[],
): void {
  const compare = (name: string, actual: string | undefined, command: string): void => {
    const said = sums.get(name);
    if (said !== undefined && actual !== undefined && said !== actual)
      problems.push(`${name} says ${said}, but it is ${actual}. Make it again: ${command} > ${name}`);
  };
  for (const [name, digest] of digests) {
    compare(`${name}.sha256`, digest.sha256, `sha256sum ${name}`);
    const is = parseAssetName(name);
    if (is?.kind !== 'root') continue;
    const metadata = metadataOf(files, is.architecture);
    for (const combined of combinedNames(is.architecture, is.type))
      compare(combined, digest.combined, `cat ${metadata?.name} ${name} | sha256sum`);
  }
}

/** Looks into the metadata, and says in a line per file what there is. */
async function describe({ architecture, metadata, roots }: Variant<string>, problems: string[]): Promise<string[]> {
  const lines = roots.map(({ type, file, deltas }) => {
    const from = deltas.length === 0 ? '' : `, deltas from ${deltas.map(({ base }) => `v${base}`).join(', ')}`;
    return `${file.name} (${type}, ${file.sizeBytes} bytes${from})`;
  });
  try {
    const { yaml } = await readMetadata(createReadStream(metadata.id));
    const { properties, creationDate, architecture: named } = parseMetadata(yaml);
    if (kernelArchitecture(named) !== kernelArchitecture(architecture))
      problems.push(`${metadata.name} is for the architecture ${named}. Name it and its root by that, or build it for ${architecture}.`);
    const title = [properties['os'], properties['release'], properties['variant']].filter(Boolean).join(' ');
    return [`${metadata.name} (${title || 'no os'}, created ${new Date(creationDate * 1000).toISOString()})`, ...lines];
  } catch (error) {
    problems.push(`${metadata.name}: ${messageOf(error)} Build it again.`);
    return lines;
  }
}
