import semver from 'semver';
import type { GithubImageSource, ImportPlan, PlannedFile } from '#libs/contracts/images.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Github, Release, ReleaseAsset, ReleaseListing, Repository } from '#libs/github/types.js';
import { kernelArchitecture } from '#libs/simplestreams/architectures.js';
import { parseChecksum } from '#libs/simplestreams/checksums.js';
import { planRelease } from '#libs/simplestreams/plan-release.js';
import { compareVersions, parseTag } from '#libs/simplestreams/tags.js';
import type { ImageRelease, ReleaseFile, Variant } from '#libs/simplestreams/types.js';
import type { KnownListings } from './deps.js';

/** Newer versions that are looked at before an older one is taken. */
const PASSED_OVER = 10;
const CHECKSUM_BYTES = 4_096;
/** Webspaces are containers: roots of virtual machines are none for them. */
const CONTAINER_ROOTS = ['squashfs', 'root.tar.xz'];

export interface Candidate {
  readonly version: string;
  readonly release: Release;
}

type Wish = Pick<GithubImageSource, 'image' | 'version' | 'prereleases'>;

/** Releases of the image that the wish allows, the newest version first. */
export function candidatesOf({ pages }: ReleaseListing, { image, version: range = '*', prereleases }: Wish): Candidate[] {
  const exact = semver.valid(range) !== null;
  return pages
    .flatMap(({ releases }) => releases)
    .flatMap((release) => {
      const tag = parseTag(release.tag);
      if (tag?.image !== image || (release.prerelease && !prereleases && tag.version !== range)) return [];
      const fits = exact ? tag.version === range : semver.satisfies(tag.version, range, { includePrerelease: true });
      return fits ? [{ version: tag.version, release }] : [];
    })
    .sort((a, b) => compareVersions(b.version, a.version));
}

/** The newest version that has the architecture; what is newer and has not is told. @throws NOT_FOUND when there is none. */
export async function resolveGithub(
  github: Github,
  listings: KnownListings,
  source: GithubImageSource,
  { architecture, signal }: { readonly architecture: string; readonly signal: AbortSignal },
): Promise<ImportPlan> {
  const repository: Repository = { owner: source.owner, name: source.repository };
  const label = `github:${source.owner}/${source.repository}/${source.image}`;
  const candidates = candidatesOf(await listings.read(repository, signal), source);
  const passedOver: string[] = [];
  for (const { version, release } of candidates.slice(0, PASSED_OVER)) {
    const { variants, leftOut } = planRelease(imageReleaseOf(release), { prereleases: 'include' });
    const variant = variants.find((each) => kernelArchitecture(each.architecture) === architecture);
    const root = variant?.roots.find(({ type }) => CONTAINER_ROOTS.includes(type));
    if (!variant || !root) {
      passedOver.push(`${version}: ${whyNot(leftOut, architecture)}`);
      continue;
    }
    const readSum = (file: ReleaseFile<ReleaseAsset> | undefined) => checksumIn(github, repository, file, signal);
    const [rootSha256, fingerprint] = [
      root.sha256 ?? (await readSum(root.sha256File)),
      root.combinedSha256 ?? (await readSum(root.combinedFile)),
    ];
    return {
      source: label,
      version,
      architecture,
      releaseId: release.id,
      files: [plannedFile('metadata', variant.metadata, repository), plannedFile('rootfs', root.file, repository, rootSha256)],
      ...(fingerprint === undefined ? {} : { fingerprint }),
      passedOver,
    };
  }
  throw nothingFound(label, source, architecture, passedOver);
}

function whyNot(leftOut: readonly { readonly architecture?: string; readonly reason: string }[], architecture: string): string {
  const own = leftOut.filter((each) => each.architecture === undefined || kernelArchitecture(each.architecture) === architecture);
  return own.map(({ reason }) => reason).join(' ') || `it has no container for ${architecture}.`;
}

function imageReleaseOf({ assets, ...release }: Release): ImageRelease<ReleaseAsset> {
  const files = assets
    .filter(({ uploaded }) => uploaded)
    .map((asset): ReleaseFile<ReleaseAsset> => {
      const { name, sizeBytes, sha256 } = asset;
      return { id: asset, name, sizeBytes, ...(sha256 === undefined ? {} : { sha256 }) };
    });
  return { ...release, files };
}

function plannedFile(
  role: PlannedFile['role'],
  file: Variant<ReleaseAsset>['metadata'],
  { owner, name: repository }: Repository,
  known = file.sha256,
): PlannedFile {
  const { id: assetId, name: assetName, downloadUrl, updatedAt } = file.id;
  return {
    role,
    name: file.name,
    sizeBytes: file.sizeBytes,
    ...(known === undefined ? {} : { sha256: known }),
    location: { at: 'github', owner, repository, assetId, assetName, downloadUrl, updatedAt },
  };
}

async function checksumIn(
  github: Github,
  repository: Repository,
  file: ReleaseFile<ReleaseAsset> | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const { body } = await github.openAsset(repository, file.id, { signal });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > CHECKSUM_BYTES)
      throw new PlatformError('PROTOCOL', `${file.name} is no checksum file: it is larger than ${CHECKSUM_BYTES} bytes.`);
    chunks.push(chunk);
  }
  return parseChecksum(Buffer.concat(chunks).toString('utf8'));
}

function nothingFound(label: string, { version }: Wish, architecture: string, passedOver: readonly string[]): PlatformError {
  const wanted = version === undefined ? '' : ` that fits ${version}`;
  const seen = passedOver.length === 0 ? '' : ` Passed over: ${passedOver.join(' ')}`;
  return new PlatformError('NOT_FOUND', `${label} has no release${wanted} with an image for ${architecture}.${seen}`, {
    details: { field: 'source' },
  });
}
