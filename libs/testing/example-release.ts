import { createHash } from 'node:crypto';
import type { ImageRelease, ImageVersion, ReleaseFile } from '#libs/simplestreams/types.js';

export const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A file whose bytes are its name: the size and the checksum follow. */
export function exampleFile(name: string, more: Partial<ReleaseFile<string>> = {}): ReleaseFile<string> {
  return { id: name, name, sizeBytes: name.length, ...more };
}

/** The files of one architecture as the publishing workflow uploads them. */
export function exampleFiles(architecture: string): ReleaseFile<string>[] {
  const root = `rootfs.${architecture}.squashfs`;
  return [`lxd.${architecture}.tar.xz`, root, `${root}.sha256`, `combined.${architecture}.sha256`].map((name) => exampleFile(name));
}

export function exampleRelease(tag: string, more: Partial<ImageRelease<string>> = {}): ImageRelease<string> {
  const files = ['amd64', 'arm64'].flatMap(exampleFiles);
  return { id: 1, tag, prerelease: false, publishedAt: '2024-05-01T12:00:00Z', body: '', files, ...more };
}

export interface ExampleVersion {
  readonly image?: string;
  readonly version: string;
  readonly architecture?: string;
  readonly releaseId?: number;
  readonly publishedAt?: string;
  /** Seconds since 1970. */
  readonly creationDate?: number;
  readonly expiryDate?: number;
  readonly properties?: Readonly<Record<string, string>>;
  readonly roots?: ImageVersion<string>['roots'];
}

export function exampleVersion(given: ExampleVersion): ImageVersion<string> {
  const { image = 'debian', version, architecture = 'amd64', releaseId = 1, publishedAt = '2024-05-01T12:00:00Z' } = given;
  const metadata = exampleFile(`lxd.${architecture}.tar.xz`);
  const roots = given.roots ?? [exampleRoot(`${image} ${version} ${architecture}`)];
  return {
    variant: { image, version, architecture, releaseId, publishedAt, metadata, roots },
    metadata: {
      architecture,
      creationDate: given.creationDate ?? 1_700_000_000,
      ...(given.expiryDate === undefined ? {} : { expiryDate: given.expiryDate }),
      properties: given.properties ?? { os: 'debian', release: 'bookworm' },
    },
    metadataSha256: sha256Of(`metadata ${image} ${version} ${architecture}`),
    roots,
  };
}

export function exampleRoot(
  seed: string,
  more: Partial<ImageVersion<string>['roots'][number]> = {},
): ImageVersion<string>['roots'][number] {
  const file = exampleFile('rootfs.amd64.squashfs');
  return { type: 'squashfs', file, sha256: sha256Of(`root ${seed}`), combinedSha256: sha256Of(`combined ${seed}`), deltas: [], ...more };
}
