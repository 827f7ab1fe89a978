import { isPlatformError, messageOf } from '#libs/errors/platform-error.js';
import type { Release, ReleaseAsset, ReleaseListing, Repository } from '#libs/github/types.js';
import { checksumFilesOf, completeVersion } from '#libs/simplestreams/complete-version.js';
import { parseMetadata } from '#libs/simplestreams/metadata.js';
import { type PlanOptions, planRelease } from '#libs/simplestreams/plan-release.js';
import type { ImageRelease, ImageVersion, LeftOut, Variant } from '#libs/simplestreams/types.js';
import type { ReadFiles } from './read-files.js';

/** What became of one release. */
export interface ReleaseOutcome {
  readonly versions: readonly ImageVersion<ReleaseAsset>[];
  readonly leftOut: readonly LeftOut[];
  /** False when something of it could not be read now, and may be later. */
  readonly complete: boolean;
}

/** Reads what documents need of releases. One that cannot be read takes nothing else with it. */
export class ReadReleases {
  constructor(
    private readonly files: ReadFiles,
    private readonly plan: PlanOptions,
  ) {}

  /** Fills `outcomes`, by the releases' ids, as they come; the newest are begun first. Never throws for what a release holds. */
  async read(repository: Repository, listing: ReleaseListing, outcomes: Map<number, ReleaseOutcome>): Promise<void> {
    const releases = listing.pages.flatMap((page) => page.releases);
    await Promise.all(
      releases.map(async (release) => {
        outcomes.set(release.id, await this.#outcomeOf(repository, release));
      }),
    );
  }

  async #outcomeOf(repository: Repository, release: Release): Promise<ReleaseOutcome> {
    const { variants, leftOut } = planRelease(imageRelease(release), this.plan);
    const outcomes = await Promise.all(variants.map((variant) => this.#variant(repository, variant)));
    return {
      versions: outcomes.flatMap(({ versions }) => versions),
      leftOut: [...leftOut, ...outcomes.flatMap((outcome) => outcome.leftOut)],
      complete: outcomes.every(({ complete }) => complete),
    };
  }

  async #variant(repository: Repository, variant: Variant<ReleaseAsset>): Promise<ReleaseOutcome> {
    const tag = `${variant.image}/v${variant.version}`;
    try {
      const [{ yaml, sha256 }, checksums] = await Promise.all([
        this.files.metadata(repository, variant.metadata.id),
        Promise.all(checksumFilesOf(variant).map(async ({ name, id }) => [name, await this.files.checksum(repository, id)] as const)),
      ]);
      const contents = { metadata: parseMetadata(yaml), metadataSha256: sha256, checksums: new Map(checksums) };
      const { version, leftOut } = completeVersion(variant, contents);
      return { versions: version ? [version] : [], leftOut, complete: true };
    } catch (error) {
      const final = isPlatformError(error, 'INVALID_INPUT') || isPlatformError(error, 'PROTOCOL');
      const reason = final ? messageOf(error) : `It could not be read yet: ${messageOf(error)}`;
      return { versions: [], leftOut: [{ tag, architecture: variant.architecture, reason }], complete: final };
    }
  }
}

function imageRelease({ id, tag, prerelease, publishedAt, body, assets }: Release): ImageRelease<ReleaseAsset> {
  const files = assets
    .filter(({ uploaded }) => uploaded)
    .map((asset) => ({
      id: asset,
      name: asset.name,
      sizeBytes: asset.sizeBytes,
      ...(asset.sha256 === undefined ? {} : { sha256: asset.sha256 }),
    }));
  return { id, tag, prerelease, publishedAt, body, files };
}
