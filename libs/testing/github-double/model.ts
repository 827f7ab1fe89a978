import { createHash } from 'node:crypto';
import type { Bytes } from './content.js';

export interface StoredAsset {
  readonly id: number;
  readonly name: string;
  /** What is served. */
  readonly bytes: Bytes;
  /** What the API says of it: the truth, unless a test wants it otherwise. */
  readonly sizeBytes: number;
  readonly digest: string | null;
  readonly state: 'uploaded' | 'open';
  readonly updatedAt: Date;
}

export interface StoredRelease {
  readonly id: number;
  readonly tag: string;
  readonly name: string;
  readonly body: string;
  readonly draft: boolean;
  readonly prerelease: boolean;
  readonly immutable: boolean;
  readonly createdAt: Date;
  readonly assets: readonly StoredAsset[];
}

/** Where releases come from. */
export interface ReleaseSource {
  /** Newest first, drafts included; undefined when there is no such repository. `repository` is `owner/name`. */
  releases(repository: string): Promise<readonly StoredRelease[] | undefined>;
}

/** GitHub's order. */
export function newestFirst(releases: readonly StoredRelease[]): StoredRelease[] {
  return [...releases].sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || b.id - a.id);
}

/** A positive number that depends on the text alone. */
export function stableId(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 5) + 1;
}
