/** A repository, as it stands in paths: both parts have passed `parseRepository`. */
export interface Repository {
  readonly owner: string;
  readonly name: string;
}

/** A file of a release. Replaced files get a new id, so that id and digest together never mean other bytes. */
export interface ReleaseAsset {
  readonly id: number;
  readonly name: string;
  readonly sizeBytes: number;
  /** 64 lower-case hex digits; GitHub has none for assets older than June 2025. */
  readonly sha256?: string;
  /** Where a browser gets it. */
  readonly downloadUrl: string;
  /** ISO 8601 in UTC. */
  readonly updatedAt: string;
  /** False while it is still being uploaded. */
  readonly uploaded: boolean;
}

/** A published release (drafts are never shown). */
export interface Release {
  readonly id: number;
  readonly tag: string;
  readonly prerelease: boolean;
  /** ISO 8601 in UTC. */
  readonly publishedAt: string;
  /** Neither tag nor assets can change any more. */
  readonly immutable: boolean;
  /** The release's text; may hold a block of checksums (libs/simplestreams). */
  readonly body: string;
  readonly assets: readonly ReleaseAsset[];
}

/** One page of releases as it was answered last, with what makes the next question a conditional one. */
export interface ReleasePage {
  readonly etag?: string;
  /** Whose answer it was: GitHub's ETags are good for one token only. Tells nothing of the token. */
  readonly identity?: string;
  readonly releases: readonly Release[];
  readonly hasNext: boolean;
  /** Where GitHub says the next page is. */
  readonly next?: string;
}

/** All releases of a repository, in GitHub's order. Can be kept and given back for the next look. */
export interface ReleaseListing {
  readonly pages: readonly ReleasePage[];
}

/** What GitHub says of our use of it; the times are the server's own. */
export interface RateState {
  readonly remaining?: number;
  readonly limit?: number;
  /** Milliseconds since 1970. */
  readonly resetAtMs?: number;
}

export interface ListOptions {
  /** The last listing: its pages are asked for conditionally. */
  readonly known?: ReleaseListing;
  /**
   * `first`: one conditional call while the first page is unchanged, which new releases always change (then the others are read too, since
   * releases move on from page to page); `all`: every page. Default `all`.
   */
  readonly depth?: 'first' | 'all';
  readonly signal?: AbortSignal;
}

export interface ListAnswer {
  readonly listing: ReleaseListing;
  /** False when everything asked for was unchanged (304). */
  readonly changed: boolean;
  /** Requests that were sent to GitHub's API. */
  readonly calls: number;
  readonly rate: RateState;
}

export interface AssetOptions {
  /** First byte wanted; a server that ignores ranges is told by `startsAt`. */
  readonly from?: number;
  /** Last byte wanted, inclusive. */
  readonly to?: number;
  readonly signal?: AbortSignal;
}

/** The bytes of an asset, as they come. */
export interface AssetBytes {
  readonly body: NodeJS.ReadableStream & AsyncIterable<Buffer>;
  /** Position of the first byte of `body` in the asset. */
  readonly startsAt: number;
  /** Of the whole asset, as the server says. */
  readonly totalBytes: number;
}

/**
 * What the platform asks of GitHub. No call sleeps: limits are errors that carry the server's own times.
 * All throw PlatformErrors: NOT_FOUND, DENIED_UPSTREAM (our credential), RATE_LIMITED (with `details.retryAfterMs`), UNAVAILABLE, PROTOCOL,
 * FORBIDDEN (a redirect or address that is not allowed).
 */
export interface Github {
  listReleases(repository: Repository, options?: ListOptions): Promise<ListAnswer>;
  /** Opens an asset for reading: private ones through the API, whose redirect gets no credential. Only allowed hosts and public addresses. */
  openAsset(repository: Repository, asset: ReleaseAsset, options?: AssetOptions): Promise<AssetBytes>;
  /** Whether anybody can download assets without a credential: decides between redirect and proxy. */
  readonly anonymousDownloads: boolean;
  close(): Promise<void>;
}
