import type { ImagesConfig } from '#libs/config/images.js';
import type { Github, ReleaseListing, Repository } from '#libs/github/types.js';
import type { ImageServers } from '#libs/images/image-servers.js';
import type { Staging } from '#libs/images/staging.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { Locks } from '../kubernetes/lock.js';
import type { WorkflowRuns } from '../shared/workflow-runs.js';

/** What the activities of imports work with; assembled once in apps/worker. */
export interface ImageDeps {
  readonly lxd: LxdClient;
  readonly locks: Locks;
  readonly runs: WorkflowRuns;
  readonly staging: Staging;
  readonly github: Github;
  readonly servers: ImageServers;
  /** Whose root disk tells the pool that images are unpacked to. */
  readonly profiles: readonly string[];
  readonly config: Pick<ImagesConfig, 'keep' | 'stagingBytes' | 'sources' | 'approvalSeconds' | 'prune'>;
}

/** Listings of repositories as they were answered last: the next question is a conditional one, which costs nothing while nothing has changed. */
export class KnownListings {
  readonly #known = new Map<string, ReleaseListing>();
  readonly #github: Github;

  constructor(github: Github) {
    this.#github = github;
  }

  async read(repository: Repository, signal: AbortSignal): Promise<ReleaseListing> {
    const key = `${repository.owner}/${repository.name}`.toLowerCase();
    const known = this.#known.get(key);
    const { listing } = await this.#github.listReleases(repository, { signal, ...(known ? { known } : {}) });
    this.#known.delete(key);
    this.#known.set(key, listing);
    if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.keys().next().value as string);
    return listing;
  }
}

const REMEMBERED = 100;
