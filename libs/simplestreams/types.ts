/** Which architecture, as LXD's image servers write it: `amd64`, `arm64`, … */
export type Architecture = string;

/** A file of a release, however it is stored. `id` is opaque and given back. */
export interface ReleaseFile<Id = unknown> {
  readonly id: Id;
  readonly name: string;
  readonly sizeBytes: number;
  /** 64 lower-case hex digits, when the store knows it. */
  readonly sha256?: string;
}

/** A release as image servers need it; the tag is `<name>/v<semver>`. */
export interface ImageRelease<Id = unknown> {
  readonly id: number;
  readonly tag: string;
  readonly prerelease: boolean;
  /** ISO 8601 in UTC. */
  readonly publishedAt: string;
  readonly body: string;
  readonly files: readonly ReleaseFile<Id>[];
}

/** Forms of a root file system, by the `ftype` of simplestreams. */
export const ROOT_TYPES = ['squashfs', 'root.tar.xz', 'disk-kvm.img'] as const;
export type RootType = (typeof ROOT_TYPES)[number];

/** A difference to an older version of the same root, applied by xdelta3. */
export interface DeltaFile<Id = unknown> {
  readonly file: ReleaseFile<Id>;
  /** Semver of the older version. */
  readonly base: string;
  /** As with roots: known without reading, or the file that holds it. */
  readonly sha256?: string;
  readonly sha256File?: ReleaseFile<Id>;
}

/** One image of one release for one architecture: what there is to be read, by names alone. */
export interface Variant<Id = unknown> {
  readonly image: string;
  /** Semver without the `v`. */
  readonly version: string;
  readonly architecture: Architecture;
  readonly releaseId: number;
  readonly publishedAt: string;
  readonly metadata: ReleaseFile<Id>;
  readonly roots: readonly {
    readonly type: RootType;
    readonly file: ReleaseFile<Id>;
    /** Holds the root's sha256; absent when the store or the release's text knows it. */
    readonly sha256File?: ReleaseFile<Id>;
    readonly sha256?: string;
    /** Holds the sha256 of metadata followed by root; absent when the release's text has it. */
    readonly combinedFile?: ReleaseFile<Id>;
    readonly combinedSha256?: string;
    readonly deltas: readonly DeltaFile<Id>[];
  }[];
}

/** Something that is not offered, and why: a sentence for the page of the repository and the log. */
export interface LeftOut {
  readonly tag: string;
  readonly architecture?: Architecture;
  readonly reason: string;
}

/** What `metadata.yaml` of an image says (LXD's and Incus' are the same). */
export interface ImageMetadata {
  readonly architecture: string;
  /** Seconds since 1970. */
  readonly creationDate: number;
  /** Seconds since 1970; absent for none. */
  readonly expiryDate?: number;
  readonly properties: Readonly<Record<string, string>>;
}

/** A variant whose metadata was read: all that the documents need. */
export interface ImageVersion<Id = unknown> {
  readonly variant: Variant<Id>;
  readonly metadata: ImageMetadata;
  /** Computed from the bytes. */
  readonly metadataSha256: string;
  readonly roots: readonly {
    readonly type: RootType;
    readonly file: ReleaseFile<Id>;
    readonly sha256: string;
    readonly combinedSha256: string;
    readonly deltas: readonly (DeltaFile<Id> & { readonly sha256: string })[];
  }[];
}

/** The two documents of an image server, as bytes that are equal for equal input in any order. */
export interface StreamsDocuments {
  readonly index: Buffer;
  readonly images: Buffer;
  /** The newest release in them, ISO 8601 in UTC; absent when there is none. */
  readonly updated?: string;
  readonly leftOut: readonly LeftOut[];
}
