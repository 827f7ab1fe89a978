import { messageOf } from '#libs/errors/platform-error.js';
import { kernelArchitecture } from './architectures.js';
import { parseChecksum } from './checksums.js';
import type { ImageMetadata, ImageVersion, LeftOut, ReleaseFile, Variant } from './types.js';

/** What was read of a variant's files. */
export interface VariantContents {
  readonly metadata: ImageMetadata;
  /** Of the metadata archive's bytes, as they came. */
  readonly metadataSha256: string;
  /** Texts of the files of `checksumFilesOf`, by name; one that is missing leaves out what needs it. */
  readonly checksums: ReadonlyMap<string, string>;
}

export interface CompletedVersion<Id> {
  /** Absent when nothing of the variant can be offered. */
  readonly version?: ImageVersion<Id>;
  readonly leftOut: readonly LeftOut[];
}

type Root<Id> = Variant<Id>['roots'][number];

/** The small files whose texts `completeVersion` needs, each once. */
export function checksumFilesOf<Id>(variant: Variant<Id>): ReleaseFile<Id>[] {
  const files = variant.roots.flatMap(({ sha256File, combinedFile, deltas }) => [
    sha256File,
    combinedFile,
    ...deltas.map((delta) => delta.sha256File),
  ]);
  return [...new Map(files.flatMap((file) => (file === undefined ? [] : [[file.name, file] as const]))).values()];
}

/**
 * Checks what was read against what was planned: architecture, checksum of the metadata, form of every checksum. A root or delta that fails is left out
 * with a reason; the others stay. Never throws.
 */
export function completeVersion<Id>(variant: Variant<Id>, contents: VariantContents): CompletedVersion<Id> {
  const { metadata, metadataSha256 } = contents;
  const leftOut: LeftOut[] = [];
  const tag = `${variant.image}/v${variant.version}`;
  const out = (reason: string): void => void leftOut.push({ tag, architecture: variant.architecture, reason });

  const wrong = wrongMetadata(variant, contents);
  if (wrong !== undefined) {
    out(wrong);
    return { leftOut };
  }
  const roots = variant.roots.flatMap((root) => completeRoot(root, contents.checksums, out));
  return roots.length === 0 ? { leftOut } : { version: { variant, metadata, metadataSha256, roots }, leftOut };
}

function wrongMetadata<Id>(variant: Variant<Id>, { metadata, metadataSha256 }: VariantContents): string | undefined {
  const { name, sha256 } = variant.metadata;
  if (sha256 !== undefined && sha256 !== metadataSha256) return `${name} is not what its checksum says.`;
  const kernelName = kernelArchitecture(metadata.architecture);
  if (kernelName === undefined || kernelName !== kernelArchitecture(variant.architecture))
    return `${name} is for the architecture ${metadata.architecture}.`;
  return undefined;
}

function completeRoot<Id>(
  { type, file, sha256, sha256File, combinedSha256, combinedFile, deltas }: Root<Id>,
  texts: ReadonlyMap<string, string>,
  out: (reason: string) => void,
): ImageVersion<Id>['roots'] {
  const sum = sha256 ?? sumIn(sha256File, texts, out);
  const combined = combinedSha256 ?? sumIn(combinedFile, texts, out);
  if (sum === undefined || combined === undefined) return [];
  const complete = deltas.flatMap((delta) => {
    const ofDelta = delta.sha256 ?? sumIn(delta.sha256File, texts, out);
    return ofDelta === undefined ? [] : [{ ...delta, sha256: ofDelta }];
  });
  return [{ type, file, sha256: sum, combinedSha256: combined, deltas: complete }];
}

function sumIn<Id>(
  file: ReleaseFile<Id> | undefined,
  texts: ReadonlyMap<string, string>,
  out: (reason: string) => void,
): string | undefined {
  const text = file === undefined ? undefined : texts.get(file.name);
  if (file === undefined || text === undefined) {
    out(`${file?.name ?? 'A checksum'} could not be read.`);
    return undefined;
  }
  try {
    return parseChecksum(text);
  } catch (error) {
    out(`${file.name}: ${messageOf(error)}`);
    return undefined;
  }
}
