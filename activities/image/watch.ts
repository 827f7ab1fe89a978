import { createHash } from 'node:crypto';
import { workflowIdOf } from '#libs/contracts/ids.js';
import {
  type FoundVersion,
  type GithubImageSource,
  IMAGE_SOURCES,
  type SourcesLook,
  type WatchImageSourcesInput,
} from '#libs/contracts/images.js';
import { evidenceOf, imageNameOf } from '#libs/domain/image-evidence.js';
import { unusedImages } from '#libs/domain/image-versions.js';
import { isPlatformError, messageOf } from '#libs/errors/platform-error.js';
import type { ReleaseListing, Repository } from '#libs/github/types.js';
import type { LxdImage } from '#libs/lxd/types.js';
import { compareVersions } from '#libs/simplestreams/tags.js';
import type { Call } from '../shared/guard.js';
import { type ImageDeps, KnownListings } from './deps.js';
import { basesInUse, removeImage } from './images.js';
import { candidatesOf } from './resolve-github.js';

type Source = ImageDeps['config']['sources'][number];
type ReadListing = (repository: Repository) => Promise<ReleaseListing>;

/** Looks at the configured sources, and at images that nobody needs any more. */
export function watchSteps(deps: ImageDeps, listings = new KnownListings(deps.github)) {
  const { lxd, runs, config } = deps;

  /** The newest version that the alias does not have; undefined when it has it. */
  async function newer(source: Source, images: readonly LxdImage[], read: ReadListing): Promise<FoundVersion | undefined> {
    const wanted = githubSourceOf(source);
    const [newest] = candidatesOf(await read({ owner: wanted.owner, name: wanted.repository }), wanted);
    const present = images.find(({ aliases }) => aliases.some(({ name }) => name === source.alias));
    const has = present && evidenceOf(present);
    if (!newest || (has?.source === source.source && compareVersions(newest.version, has.version) <= 0)) return undefined;
    return { source: source.source, version: newest.version, input: inputOf(source, { ...wanted, version: newest.version }) };
  }

  function inputOf(source: Source, exact: GithubImageSource & { readonly version: string }): FoundVersion['input'] {
    const { alias, keep, policy } = source;
    const operationId = `watch-${digest(`${source.source} ${exact.version} ${alias}`)}`;
    return {
      name: imageNameOf(alias),
      operationId,
      requestedBy: { subject: IMAGE_SOURCES, username: `image sources: ${source.source} has ${exact.version}` },
      alias,
      source: exact,
      ...(keep === undefined ? {} : { keep }),
      ...(policy === 'approve' ? { approvalSeconds: config.approvalSeconds } : {}),
    };
  }

  return {
    async checkSources(call: Call, { repository }: WatchImageSourcesInput): Promise<SourcesLook> {
      const { signal } = call;
      const sources = config.sources.filter(({ source }) => repository === undefined || isOf(source, repository));
      const images = sources.length === 0 ? [] : await lxd.images.list({ signal });
      const found: FoundVersion[] = [];
      const problems: string[] = [];
      const read = once((each) => listings.read(each, signal));
      for (const source of sources) {
        call.waiting({ waitingFor: `releases of ${source.source}` });
        try {
          const version = await newer(source, images, read);
          if (!version) continue;
          const { name, operationId } = version.input;
          // Who cancels an import does not want to see it again an hour later.
          if (await runs.wasCancelled(workflowIdOf('import', name, operationId))) {
            problems.push(`${source.source} ${version.version} as ${source.alias} was cancelled; import it by hand if it is wanted.`);
          } else found.push(version);
        } catch (error) {
          if (signal.aborted || !isPlatformError(error)) throw error;
          problems.push(`${source.source}: ${messageOf(error)}`);
        }
      }
      return { checked: sources.length, found, problems };
    },

    async pruneImages(call: Call): Promise<readonly string[]> {
      const { unusedDays } = config.prune;
      if (unusedDays === 0) return [];
      const inUse = await basesInUse(lxd, call.signal);
      if (inUse === undefined) return [];
      const unused = unusedImages(await lxd.images.list({ signal: call.signal }), { unusedDays, inUse, now: Date.now() });
      for (const { fingerprint } of unused) await removeImage(call, lxd, fingerprint);
      return unused.map(({ fingerprint }) => fingerprint);
    },
  };
}

/** Asks once for each repository, whatever it answers. */
function once(read: ReadListing): ReadListing {
  const asked = new Map<string, Promise<ReleaseListing>>();
  return (repository) => {
    const key = `${repository.owner}/${repository.name}`.toLowerCase();
    const answer = asked.get(key) ?? read(repository);
    asked.set(key, answer);
    return answer;
  };
}

function githubSourceOf({ source, range, prereleases }: Source): GithubImageSource {
  const [owner = '', repository = '', ...image] = source.slice('github:'.length).split('/');
  return { kind: 'github', owner, repository, image: image.join('/'), version: range, ...(prereleases ? { prereleases: true } : {}) };
}

function isOf(source: string, repository: string): boolean {
  return source.toLowerCase().startsWith(`github:${repository.toLowerCase()}/`);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
