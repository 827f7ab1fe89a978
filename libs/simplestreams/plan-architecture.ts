import { type AssetName, combinedNames } from './asset-names.js';
import { type ChecksumBlock, isSha256 } from './checksums.js';
import { compareVersions } from './tags.js';
import { type DeltaFile, type ReleaseFile, ROOT_TYPES, type RootType, type Variant } from './types.js';

export interface NamedFile {
  readonly name: string;
  readonly is: AssetName;
}

export interface ArchitecturePlan<Id> {
  readonly architecture: string;
  readonly named: readonly NamedFile[];
  readonly files: ReadonlyMap<string, readonly ReleaseFile<Id>[]>;
  readonly text: ChecksumBlock;
  readonly out: (reason: string) => void;
}

type Root<Id> = Variant<Id>['roots'][number];
type Sum<Id> = { readonly sha256?: string; readonly sha256File?: ReleaseFile<Id> };

/** A reason to leave something out: ends a part of the plan, never leaves this module. */
class Unfit extends Error {}

/** Metadata and roots of one architecture; undefined when it cannot be offered at all, which `out` was told. */
export function planArchitecture<Id>(plan: ArchitecturePlan<Id>): Pick<Variant<Id>, 'metadata' | 'roots'> | undefined {
  const metadata = attempt(plan, () => metadataOf(plan));
  if (metadata === undefined) return undefined;
  const roots = ROOT_TYPES.flatMap((type) => {
    const name = plan.named.find(({ is }) => is.kind === 'root' && is.type === type)?.name;
    const root = name === undefined ? undefined : attempt(plan, () => rootOf(plan, type, name));
    return root === undefined ? [] : [root];
  });
  if (!plan.named.some(({ is }) => is.kind === 'root'))
    plan.out(`It has no root file system: add rootfs.${plan.architecture}.squashfs, for example.`);
  return roots.length === 0 ? undefined : { metadata, roots };
}

function metadataOf<Id>(plan: ArchitecturePlan<Id>): ReleaseFile<Id> {
  const names = plan.named.filter(({ is }) => is.kind === 'metadata').map(({ name }) => name);
  const name = names.find((one) => one.startsWith('lxd.')) ?? names[0];
  if (name === undefined) throw new Unfit(`lxd.${plan.architecture}.tar.xz is missing.`);
  const file = onlyOne(plan, name);
  const sha256 = knownSum(plan, file);
  return sha256 === undefined ? file : { ...file, sha256 };
}

function rootOf<Id>(plan: ArchitecturePlan<Id>, type: RootType, name: string): Root<Id> {
  const file = onlyOne(plan, name);
  const sum = sumOf(plan, file);
  const combined = combinedOf(plan, type);
  return { type, file, ...sum, ...combined, deltas: deltasOf(plan, type) };
}

function deltasOf<Id>(plan: ArchitecturePlan<Id>, type: RootType): DeltaFile<Id>[] {
  const deltas = plan.named.flatMap(({ name, is }) => {
    if (is.kind !== 'delta' || is.type !== type) return [];
    const delta = attempt(plan, () => {
      const file = onlyOne(plan, name);
      return { file, base: is.base, ...sumOf(plan, file) };
    });
    return delta === undefined ? [] : [delta];
  });
  return deltas.sort((a, b) => compareVersions(a.base, b.base));
}

/** The sha256 of metadata followed by root: in the release's text, or in a file. */
function combinedOf<Id>(plan: ArchitecturePlan<Id>, type: RootType): { combinedSha256?: string; combinedFile?: ReleaseFile<Id> } {
  const names = combinedNames(plan.architecture, type);
  for (const name of names) {
    const stem = name.slice(0, -'.sha256'.length);
    const problem = plan.text.problems.get(stem);
    if (problem !== undefined) throw new Unfit(`Left out, since ${problem}.`);
    const sum = plan.text.sums.get(stem);
    if (sum !== undefined) return { combinedSha256: sum };
  }
  const found = names.find((name) => plan.files.has(name));
  if (found === undefined) throw new Unfit(`The sha256 of metadata followed by ${type} is not known: add ${names[0]}.`);
  return { combinedFile: onlyOne(plan, found) };
}

function sumOf<Id>(plan: ArchitecturePlan<Id>, file: ReleaseFile<Id>): Sum<Id> {
  const sha256 = knownSum(plan, file);
  if (sha256 !== undefined) return { sha256 };
  const name = `${file.name}.sha256`;
  if (!plan.files.has(name)) throw new Unfit(`${file.name} has no checksum: add ${name}.`);
  return { sha256File: onlyOne(plan, name) };
}

/** What store and text say of a file without it being read; they must agree. */
function knownSum<Id>({ text }: ArchitecturePlan<Id>, { name, sha256 }: ReleaseFile<Id>): string | undefined {
  const problem = text.problems.get(name);
  if (problem !== undefined) throw new Unfit(`Left out, since ${problem}.`);
  if (sha256 !== undefined && !isSha256(sha256)) throw new Unfit(`The store's checksum of ${name} is not 64 hex digits.`);
  const written = text.sums.get(name);
  if (sha256 !== undefined && written !== undefined && sha256 !== written)
    throw new Unfit(`The checksum of ${name} in the release's text is not the file's.`);
  return sha256 ?? written;
}

function onlyOne<Id>({ files }: ArchitecturePlan<Id>, name: string): ReleaseFile<Id> {
  const [file, ...more] = files.get(name) ?? [];
  if (file === undefined) throw new Unfit(`${name} is missing.`);
  if (more.length > 0) throw new Unfit(`There are ${more.length + 1} files called ${name}.`);
  if (!Number.isSafeInteger(file.sizeBytes) || file.sizeBytes <= 0) throw new Unfit(`${name} is empty.`);
  return file;
}

function attempt<Id, T>(plan: ArchitecturePlan<Id>, part: () => T): T | undefined {
  try {
    return part();
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    plan.out(error.message);
    return undefined;
  }
}
