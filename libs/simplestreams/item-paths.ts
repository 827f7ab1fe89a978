import { kernelArchitecture } from './architectures.js';
import { ROOT_FILES } from './asset-names.js';
import { isImageName, isVersion } from './tags.js';
import { type ImageVersion, type ReleaseFile, ROOT_TYPES, type RootType, type Variant } from './types.js';

/** Names of the metadata in paths: LXD's and Incus', the same bytes. */
export const METADATA_FILES = ['lxd.tar.xz', 'incus.tar.xz'] as const;

/** Where a file of an image stands on an image server. */
export interface ItemPath {
  readonly image: string;
  readonly architecture: string;
  readonly version: string;
  /** Last part of the path; whether there is such a file says `fileOf`. */
  readonly file: string;
}

const PATH = /^images\/(.+)\/([a-z0-9_]+)\/v([^/]+)\/([a-z0-9][A-Za-z0-9.+-]*)$/;

export function itemPath({ image, architecture, version, file }: ItemPath): string {
  return `images/${image}/${architecture}/v${version}/${file}`;
}

/** The parts of what `itemPath` made, without a leading slash and already percent-decoded; undefined for anything else. */
export function parseItemPath(path: string): ItemPath | undefined {
  const [, image, architecture, version, file] = PATH.exec(path) ?? [];
  if (image === undefined || architecture === undefined || version === undefined || file === undefined) return undefined;
  if (!isImageName(image) || kernelArchitecture(architecture) === undefined || !isVersion(version)) return undefined;
  return { image, architecture, version, file };
}

export function rootFileName(type: RootType): string {
  return `${ROOT_FILES[type].stem}.${ROOT_FILES[type].suffix}`;
}

/** `delta-from-v<base>.vcdiff` is squashfs', which LXD reads; Incus has them for disks too. */
export function deltaFileName(type: RootType, base: string): string {
  return `${type === 'squashfs' ? '' : `${ROOT_FILES[type].stem}-`}delta-from-v${base}.vcdiff`;
}

/** The file of a release that stands under the last part of a path. */
export function fileOf<Id>(variant: Variant<Id>, fileName: string): ReleaseFile<Id> | undefined {
  if (isMetadata(fileName)) return variant.metadata;
  return findRootFile(variant.roots, fileName)?.file;
}

/** The file and the sha256 that its bytes must have. */
export function checkedFileOf<Id>(version: ImageVersion<Id>, fileName: string): { file: ReleaseFile<Id>; sha256: string } | undefined {
  if (isMetadata(fileName)) return { file: version.variant.metadata, sha256: version.metadataSha256 };
  return findRootFile(version.roots, fileName);
}

function isMetadata(fileName: string): boolean {
  return METADATA_FILES.some((name) => name === fileName);
}

interface WithDeltas<D> {
  readonly type: RootType;
  readonly deltas: readonly (D & { readonly base: string })[];
}

function findRootFile<D, R extends WithDeltas<D>>(roots: readonly R[], fileName: string): R | R['deltas'][number] | undefined {
  for (const type of ROOT_TYPES) {
    const root = roots.find((one) => one.type === type);
    if (root === undefined) continue;
    const found = fileName === rootFileName(type) ? root : root.deltas.find(({ base }) => fileName === deltaFileName(type, base));
    if (found !== undefined) return found;
  }
  return undefined;
}
