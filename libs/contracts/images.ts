import type { Acting } from './activities.js';
import type { Requester } from './operations.js';

/** Who asks for imports that follow from the configured sources. */
export const IMAGE_SOURCES = 'image-sources';

/** Update of `importImage`: somebody lets it begin. Answers {@link ApprovalAnswer}; refused when the import does not wait for that. */
export const APPROVE_UPDATE = 'approve';

export interface ApprovalAnswer {
  /** ISO 8601 in UTC. */
  readonly approvedAt: string;
  readonly approvedBy: Requester;
}

/** The newest release of a repository on GitHub, or the newest that a range of versions allows. */
export interface GithubImageSource {
  readonly kind: 'github';
  readonly owner: string;
  readonly repository: string;
  readonly image: string;
  /** Semver or range; build numbers after a `-` count. The newest when absent. */
  readonly version?: string;
  /** Releases that GitHub marks as such are taken, too. */
  readonly prereleases?: true;
}

/** An image of another image server. */
export interface StreamsImageSource {
  readonly kind: 'simplestreams';
  /** https URL above `streams/v1/`. */
  readonly server: string;
  readonly alias: string;
  /** Name of one version; the newest when absent. */
  readonly version?: string;
  /** PEM of the certificate that the server must show; the system's authorities vouch for it when absent. */
  readonly certificate?: string;
}

/** A file in the staging folder. */
export interface UploadedFile {
  readonly id: string;
  /** 64 lower-case hex digits. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface UploadedImageSource {
  readonly kind: 'upload';
  readonly metadata: UploadedFile;
  readonly rootfs: UploadedFile;
  /** What its maker calls it; the beginning of its digest when absent. */
  readonly version?: string;
}

export type ImageSource = GithubImageSource | StreamsImageSource | UploadedImageSource;

export interface ImportImageInput {
  /** `image-<hash of the alias>`: what the lock is called. */
  readonly name: string;
  readonly operationId: string;
  readonly requestedBy: Requester;
  readonly alias: string;
  readonly source: ImageSource;
  /** As image servers or kernels write it (`amd64`, `x86_64`); that of most members of the cluster when absent. */
  readonly architecture?: string;
  /** How many versions of the alias stay; the platform's setting when absent. */
  readonly keep?: number;
  /** It begins when an admin has approved it, and fails when nobody has within this time. */
  readonly approvalSeconds?: number;
}

export interface ImportImageResult {
  readonly alias: string;
  readonly fingerprint: string;
  readonly source: string;
  readonly version: string;
  readonly architecture: string;
  /** `adopted`: LXD had an image of the same bytes already. */
  readonly image: 'created' | 'adopted';
  /** What the alias named before; absent when it is new. */
  readonly previous?: string;
  /** Fingerprints of older versions that were removed. */
  readonly removed: readonly string[];
  /** All attempts together, as far as they are known. */
  readonly transferredBytes: number;
  /** The import that this one joined. */
  readonly joined?: string;
  readonly approvedBy?: Requester;
}

/** Where the bytes of a file are. Holds no credential. */
export type FileLocation =
  | {
      readonly at: 'github';
      readonly owner: string;
      readonly repository: string;
      readonly assetId: number;
      readonly assetName: string;
      readonly downloadUrl: string;
      readonly updatedAt: string;
    }
  | { readonly at: 'url'; readonly url: string; readonly certificate?: string }
  | { readonly at: 'upload'; readonly id: string };

export const FILE_ROLES = ['metadata', 'rootfs'] as const;
export type FileRole = (typeof FILE_ROLES)[number];

export interface PlannedFile {
  readonly role: FileRole;
  readonly name: string;
  readonly sizeBytes: number;
  /** What the source says; absent when it does not. */
  readonly sha256?: string;
  readonly location: FileLocation;
}

/** One image of one version for one architecture: what is going to be imported, and nothing that can change any more. */
export interface ImportPlan {
  /** `github:<owner>/<repository>/<image>`, `simplestreams:<server>/<alias>` or `upload`. */
  readonly source: string;
  readonly version: string;
  /** As the kernel calls it. */
  readonly architecture: string;
  /** Of GitHub. */
  readonly releaseId?: number;
  /** Metadata first. */
  readonly files: readonly PlannedFile[];
  /** sha256 of metadata followed by root, when the source says it. */
  readonly fingerprint?: string;
  /** Newer versions that were passed over, and why. */
  readonly passedOver: readonly string[];
}

export interface FetchedFile {
  readonly role: FileRole;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** What was downloaded, by its own digests. */
export interface FetchedImage {
  readonly files: readonly FetchedFile[];
  readonly fingerprint: string;
  readonly transferredBytes: number;
}

/** The lock is this import's, or another one that runs does the same. */
export type ImageLock = { readonly taken: true } | { readonly joins: { readonly workflowId: string; readonly runId: string } };

/** A version that a source has and its alias does not. */
export interface FoundVersion {
  readonly source: string;
  readonly version: string;
  readonly input: ImportImageInput;
}

export interface SourcesLook {
  readonly checked: number;
  readonly found: readonly FoundVersion[];
  /** What could not be followed, each a sentence. */
  readonly problems: readonly string[];
}

export interface WatchImageSourcesInput {
  /** Only sources of this repository, as `owner/name`. */
  readonly repository?: string;
}

export interface WatchImageSourcesResult {
  readonly checked: number;
  /** Workflow ids of the imports that were begun. */
  readonly begun: readonly string[];
  /** Imports that were begun earlier and run, wait or have been done. */
  readonly known: number;
  readonly pruned: readonly string[];
  readonly problems: readonly string[];
}

/** The activities of imports, as those of webspaces in `activities.ts`: each says what it guarantees, and may be run twice. */
export interface ImageActivities {
  /** The lock of the alias is held, or the import that holds it wants the same. Waits for others, with the reason, until its deadline. */
  takeImageLock(acting: Acting, input: ImportImageInput): Promise<ImageLock>;
  /** The result of another import, as its own caller gets it. */
  awaitImport(run: { readonly workflowId: string; readonly runId: string }): Promise<ImportImageResult>;
  /** What is to be imported: the version, the architecture, the files with what the source says of them. */
  resolveImport(acting: Acting, input: ImportImageInput): Promise<ImportPlan>;
  /** The staging folder and LXD's storage pool have room for it. */
  checkSpace(acting: Acting, plan: ImportPlan): Promise<void>;
  /** The files are in the staging folder, whole. What an earlier attempt has downloaded is not downloaded again. */
  fetchImage(acting: Acting, plan: ImportPlan): Promise<FetchedImage>;
  /** Digests are those that the source says, the metadata can be read, and the architecture is right. Creates nothing. */
  verifyImage(acting: Acting, plan: ImportPlan, fetched: FetchedImage): Promise<void>;
  /** LXD has an image of exactly these bytes, with the evidence of where they come from. */
  createImage(
    acting: Acting,
    image: { readonly input: ImportImageInput; readonly plan: ImportPlan; readonly fetched: FetchedImage; readonly approvedBy?: Requester },
  ): Promise<'created' | 'adopted'>;
  /** The alias names the image. */
  moveAlias(acting: Acting, alias: string, fingerprint: string): Promise<{ readonly previous?: string }>;
  /** Of the versions of the alias the last `keep` are there, and those that another alias names or an instance is made of. */
  removeOldVersions(acting: Acting, alias: string, keep: number | undefined): Promise<readonly string[]>;
  /** Nothing is left in the staging folder, and the lock is free. */
  finishImport(acting: Acting, plan: ImportPlan): Promise<void>;
  /** As {@link finishImport}, and an image that this import has made is gone unless an alias names it. Uploads stay. */
  abandonImport(acting: Acting): Promise<void>;
  /** Which configured sources have a version that their alias does not have. */
  checkSources(input: WatchImageSourcesInput): Promise<SourcesLook>;
  /** Images that LXD keeps of its own accord and nobody has used for long are gone, a few at a time; off by default. */
  pruneImages(): Promise<readonly string[]>;
}
